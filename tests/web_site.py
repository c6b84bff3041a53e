"""A whole web process for tests: real application, database, journal and bus, with a node played by the test."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
from argon2 import PasswordHasher

from livemon.api.app import WebApp, build
from livemon.api.passwords import Passwords
from livemon.api.route import Route
from livemon.api.server import Doors, Server, configure
from livemon.api.settings import WebSettings
from livemon.audit.journal import Journal
from livemon.bus.memory import MemoryHub
from livemon.bus.messages import (
    AuditEntries,
    AuditPull,
    CallView,
    ListenHop,
    ListenMode,
    ListenOpen,
    ListenOpened,
    NodeHealth,
    NodeUpdate,
    SessionState,
)
from livemon.errors import Refused
from livemon.store.engine import Store
from livemon.store.seed import SeedUser, seed_users
from livemon.store.users import Users
from tests.live_calls import call, health

PASSWORD = "correct horse battery"
ORIGIN = "http://localhost"
USERS = (
    SeedUser("admin", "Ada", "admin", PASSWORD, ("*",), ("*",)),
    SeedUser("sue", "Sue", "supervisor", PASSWORD, ("blue",)),
    SeedUser("ruth", "Ruth", "supervisor", PASSWORD, ("red",)),
    SeedUser("quinn", "Quinn", "qa", PASSWORD, ("blue",)),
    SeedUser("wall", "Wall", "wallboard", PASSWORD, ("*",)),
    SeedUser("clive", "Clive", "client", PASSWORD, (), ("sales",)),
    SeedUser("anna", "Anna", "agent", PASSWORD, ("blue",)),
)
FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class PlayedNode:
    """Answers as a node does, and notes what it was asked."""

    def __init__(self, hub: MemoryHub, folder: Path, name: str = "node-0") -> None:
        self.name = name
        self.bus = hub.connect(name)
        self.journal = Journal(folder / "audit" / f"{name}.journal", name)
        self.calls: dict[str, CallView] = {}
        self.asked: list[tuple[str, Any]] = []
        self.refuse = ""
        self.seq = 0
        self.changes = self.bus.subscribe("principal")
        self.bus.serve(f"node.{name}", self._answer)

    def publish(self, full: bool = False, **parts: Any) -> None:
        """Publish an update; `calls` and `gone` change the node's own state too."""
        self.seq += 1
        for view in parts.get("calls", ()):
            self.calls[view.id] = view
        for id_ in parts.get("gone", ()):
            self.calls.pop(id_, None)
        update = NodeUpdate(self.name, self.seq, 0, full, **parts)
        self.bus.publish(f"calls.{self.name}", msgspec.msgpack.encode(update))

    def alive(self, **changes: Any) -> None:
        """Publish a sign of life."""
        sign: NodeHealth = health(self.name, **changes)
        self.bus.publish(f"node.{self.name}", msgspec.msgpack.encode(sign))

    def session(self, state: SessionState) -> None:
        """Publish the state of a listening session."""
        self.bus.publish(f"session.{self.name}", msgspec.msgpack.encode(state))

    async def _answer(self, method: str, body: bytes) -> bytes:
        if self.refuse and method.startswith("listen."):
            raise Refused(self.refuse, "the played node refuses")
        return msgspec.msgpack.encode(self._reply(method, body))

    def _reply(self, method: str, body: bytes) -> msgspec.Struct:
        match method:
            case "snapshot":
                return NodeUpdate(self.name, self.seq, 0, True, tuple(self.calls.values()))
            case "audit.pull":
                pull = msgspec.msgpack.decode(body, type=AuditPull)
                return AuditEntries(self.name, self.journal.lines_after(pull.after, pull.limit))
            case "listen.open":
                opened = msgspec.msgpack.decode(body, type=ListenOpen)
                self.asked.append((method, opened))
                fallback = ("", "") if opened.sdp else ("ws://127.0.0.1:1/audio", "ticket")
                return ListenOpened(
                    f"s-{opened.call}-{opened.principal.user_id}", "v=0 answer" if opened.sdp else "", *fallback
                )
            case "listen.mode":
                wish = msgspec.msgpack.decode(body, type=ListenMode)
                self.asked.append((method, wish))
                return SessionState(wish.session, wish.principal.user_id, "c1", wish.mode, "connected")
            case "listen.hop":
                hop = msgspec.msgpack.decode(body, type=ListenHop)
                self.asked.append((method, hop))
                return SessionState(hop.session, hop.principal.user_id, hop.call, "listen", "connected")
            case "listen.restart":
                self.asked.append((method, None))
                return ListenOpened("s", "v=0 again", "", "")
            case "listen.close":
                self.asked.append((method, None))
                return SessionState("s", "u", "c1", "listen", "closed")
        raise Refused("no_such_method", method)


class Site:
    """One web process and one played node with a call of team blue (c1) and one of team red (c2)."""

    def __init__(self, app: WebApp, hub: MemoryHub, node: PlayedNode) -> None:
        self.app = app
        self.web = app.web
        self.hub = hub
        self.node = node
        self.port = 0
        self.doors = Doors(0)

    def client(self, **options: Any) -> httpx.AsyncClient:
        """Return a browser that is not signed in; it sends the right Origin."""
        transport = httpx.ASGITransport(self.app.asgi, client=(options.pop("remote", "127.0.0.1"), 1234))
        headers = {"origin": ORIGIN} | options.pop("headers", {})
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers)

    async def signed_in(self, login: str) -> httpx.AsyncClient:
        """Return a browser in which `login` is signed in."""
        client = self.client()
        answer = await client.post("/api/login", json={"login": login, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return client

    async def ticket(self, login: str) -> str:
        """Return a fresh ticket for the feed."""
        client = await self.signed_in(login)
        return str((await client.post("/api/ticket")).json()["ticket"])

    async def kinds(self) -> list[str]:
        """Return the kinds of this process's audit entries."""
        return [str(msgspec.json.decode(line)["kind"]) for line in self.web.journal.lines_after(0)]

    async def entries(self, kind: str) -> list[dict[str, Any]]:
        """Return the fields of this process's audit entries of one kind."""
        lines = (msgspec.json.decode(line) for line in self.web.journal.lines_after(0))
        return [line["fields"] for line in lines if line["kind"] == kind]


async def until(condition: Any, seconds: float = 5.0) -> None:
    """Wait until `condition()` is true; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


_templates: list[bytes] = []


async def _seeded() -> bytes:
    """Return a database that has all tables and USERS; made once, since each test wants one and it takes 0.3 s."""
    if not _templates:
        with tempfile.TemporaryDirectory() as folder:
            store = Store(f"sqlite:///{folder}/livemon.db")
            passwords = Passwords(FAST)
            await store.migrate()
            await seed_users(Users(store), USERS, passwords, 0)
            passwords.close()
            await store.close()
            _templates.append((Path(folder) / "livemon.db").read_bytes())
    return _templates[0]


@asynccontextmanager
async def site(folder: Path, extra_routes: Sequence[Route] = (), **settings: Any) -> AsyncIterator[Site]:
    """Run a web process without a socket; its database is in `folder`."""
    hub = MemoryHub()
    wanted = replace(WebSettings(folder, users=USERS, pages=folder / "pages"), **settings)
    if wanted.users == USERS and not wanted.database and not (folder / "livemon.db").exists():
        (folder / "livemon.db").write_bytes(await _seeded())
    app = build(wanted, hub.connect("web"), extra_routes, Passwords(FAST))
    node = PlayedNode(hub, folder)
    await app.open()
    made = Site(app, hub, node)
    node.publish(full=True, calls=(call(), call("c2", team="red", queue="support", agent_id="a2")))
    await until(lambda: len(made.web.feed.world.calls) == 2)
    try:
        yield made
    finally:
        await app.close()
        node.journal.close()


@asynccontextmanager
async def served(folder: Path, **settings: Any) -> AsyncIterator[Site]:
    """Run a web process on a port of its own (`Site.port`)."""
    async with site(folder, **settings) as made:
        config = configure(made.app.asgi, replace(made.web.settings, port=0))
        config.lifespan = "off"
        made.doors = config.http.doors  # type: ignore[union-attr]
        server = Server(config)
        task = asyncio.get_running_loop().create_task(server.serve())
        await until(lambda: server.started)
        made.port = server.port
        try:
            yield made
        finally:
            server.should_exit = True
            server.force_exit = True
            await task
