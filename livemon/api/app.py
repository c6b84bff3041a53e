"""Builds the web process: its parts, its ASGI application, its start and its end."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as StarletteRoute
from starlette.routing import WebSocketRoute

from livemon.api.describe import describe
from livemon.api.feed.hub import FeedHub
from livemon.api.feed.socket import FeedEndpoint
from livemon.api.gate import Gate, failure
from livemon.api.identity import Identity
from livemon.api.importer import ANCHOR_EVERY, Importer
from livemon.api.origins import Origins
from livemon.api.pages import PAGES, Pages, SafeHeaders
from livemon.api.passwords import Passwords
from livemon.api.route import Route
from livemon.api.settings import WebSettings
from livemon.api.table import DESCRIPTION_PATH, ENTER, FEED_PATH, ROUTES
from livemon.api.tokens import digest, new_token
from livemon.api.web import SETUP_TOKEN, Web, utc_ms
from livemon.audit.journal import Journal
from livemon.bus.port import Bus
from livemon.errors import ConfigError, Refused
from livemon.store.directory import DirectoryStore
from livemon.store.engine import Store
from livemon.store.interactions import History
from livemon.store.seed import seed_users
from livemon.store.trail import TrailStore
from livemon.store.users import Users

log = logging.getLogger(__name__)

WRITER: Final = "web"
"""Name of this process as a writer of the audit trail."""
IMPORT_END_S: Final = 1.0
"""Seconds the import that runs has to come to its end: 500 lines take a tenth of that."""


@dataclass(frozen=True, slots=True)
class WebApp:
    """The application of one web process; run its lifespan, or `open` and `close` it by hand."""

    web: Web
    asgi: Starlette
    routes: tuple[Route, ...]

    async def open(self) -> None:
        """Bring the database up to date and follow the bus."""
        await _open(self.web)

    async def close(self) -> None:
        """Stop everything."""
        await _close(self.web)


def build(
    settings: WebSettings, bus: Bus, extra_routes: Sequence[Route] = (), passwords: Passwords | None = None
) -> WebApp:
    """Return the application; `extra_routes` go through the same gate as the others (the demo brings some)."""
    store = Store(settings.database_url)
    journal = Journal(settings.journal_path(WRITER), WRITER)
    trail, users = TrailStore(store), Users(store)
    importer = Importer(bus, journal, trail)

    async def record(kind: str, fields: dict[str, Any]) -> None:
        await web.record(kind, fields)

    web = Web(
        settings=settings,
        bus=bus,
        store=store,
        users=users,
        directory=DirectoryStore(store),
        trail=trail,
        history=History(store),
        journal=journal,
        importer=importer,
        identity=Identity(users, passwords or Passwords(), record, utc_ms),
        feed=FeedHub(bus, utc_ms),
        origins=Origins("https" if settings.secure else "http", settings.origins, _own_names()),
        now_ms=utc_ms,
    )
    table = (*ROUTES, *((ENTER,) if settings.links else ()), *extra_routes)
    return WebApp(web, _application(web, table), table)


def _own_names() -> set[str]:
    return {socket.gethostname(), socket.getfqdn()}


def _application(web: Web, table: Sequence[Route]) -> Starlette:
    description = describe(table)
    pages = Pages(web.settings.pages, lambda: web.setup_token != "")

    async def described(request: Request) -> Response:
        return JSONResponse(description)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await _open(web)
        try:
            yield
        finally:
            await _close(web)

    routes: list[Any] = [StarletteRoute(route.path, Gate(web, route).answer, methods=[route.method]) for route in table]
    routes.append(StarletteRoute(DESCRIPTION_PATH, described))
    routes.append(WebSocketRoute(FEED_PATH, FeedEndpoint(lambda: web).serve))
    routes.extend(StarletteRoute(path, pages.page) for path in PAGES)
    routes.append(StarletteRoute("/{path:path}", pages.file))
    connect = web.settings.fallback_origins
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(SafeHeaders, connect=connect, secure=web.settings.secure)],
        exception_handlers={Exception: _broken},
    )


async def _broken(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return failure("internal", "the server failed to answer; its log says why", 500)


async def _open(web: Web) -> None:
    await web.store.migrate()
    hasher = web.identity.passwords
    for login in await seed_users(web.users, web.settings.users, hasher, web.now_ms()):
        await web.record("user.seeded", {"login": login})
    for link in web.settings.links:
        user = await web.users.by_login(link.login)
        if user is None:
            raise ConfigError(f"a link signs in {link.login!r}, who is no user; add [[user]] login = {link.login!r}")
        await web.users.add_link(digest(link.token), user.id, link.path)
    if web.settings.directory is not None:
        await web.directory.replace(web.settings.directory)
    directory = await web.directory.load(web.now_ms())
    web.bus.publish("directory", msgspec.msgpack.encode(directory), retain=True)
    if not await web.users.any() and not web.settings.links:
        web.setup_token = _setup_token(web.settings.data_dir / SETUP_TOKEN)
        log.warning(
            "nobody can sign in yet: open the pages, and give the token in %s", web.settings.data_dir / SETUP_TOKEN
        )
    web.feed.start(web.importer.behind, web.history.add)
    web.tasks.start(web.importer.run(), "import")
    web.tasks.start(_anchor(web), "anchor")


async def _close(web: Web) -> None:
    await web.feed.close()
    async with web.importer.paused(IMPORT_END_S):
        await web.tasks.close()
    web.identity.passwords.close()
    await web.store.close()
    web.journal.close()


async def _anchor(web: Web) -> None:
    while True:
        await asyncio.sleep(ANCHOR_EVERY)
        try:
            await web.importer.anchor()
        except (Refused, OSError):
            log.exception("the heads of the other journals were not anchored")


def _setup_token(path: Path) -> str:
    """Return the token of an earlier start, or write a new one that only the owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and (known := path.read_text().strip()):
        return known
    token = new_token()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(token + "\n")
    return token
