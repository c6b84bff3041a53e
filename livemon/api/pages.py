"""The built pages, and the headers that keep them harmless."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SETUP: Final = "/setup"
PAGES: Final[Mapping[str, str]] = {
    "/": "index",
    "/wallboard": "wallboard",
    "/audit": "audit",
    "/login": "login",
    SETUP: "setup",
}
"""Path of a page and the name of its file; a page without a file of its own is drawn by index.html."""
_ASSETS: Final = "/assets/"
_YEAR: Final = "public, max-age=31536000, immutable"
"""Assets carry the hash of their content in their name, so they never change."""


def policy(connect: Iterable[str]) -> str:
    """Return the Content-Security-Policy: own files only, nothing inline, no frame around us."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "media-src 'self' blob:",
            "worker-src 'self'",
            "manifest-src 'self'",
            " ".join(("connect-src 'self'", *connect)),
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class Pages:
    """Serves the files of one folder; nothing outside it, nothing hidden."""

    def __init__(self, folder: Path, setting_up: Callable[[], bool]) -> None:
        self._folder = folder
        self._setting_up = setting_up

    async def page(self, request: Request) -> Response:
        """Return the HTML of a page; while nobody can sign in, every page leads to the set-up, and later none."""
        path = request.scope["path"].rstrip("/") or "/"
        if self._setting_up() != (path == SETUP):
            return RedirectResponse("/login" if path == SETUP else SETUP, 303)
        for name in (PAGES.get(path, "index"), "index"):
            file = self._folder / f"{name}.html"
            if file.is_file():
                return FileResponse(file, headers={"cache-control": "no-cache"}, media_type="text/html")
        return PlainTextResponse("The pages are not built; run make setup.\n", 503)

    async def file(self, request: Request) -> Response:
        """Return an asset, or a file at the top of the folder such as the icon."""
        file = self._find(request.scope["path"].lstrip("/"))
        if file is None:
            return PlainTextResponse("There is nothing here.\n", 404)
        fixed = request.scope["path"].startswith(_ASSETS)
        return FileResponse(file, headers={"cache-control": _YEAR if fixed else "no-cache"})

    def _find(self, relative: str) -> Path | None:
        root = self._folder.resolve()
        try:
            file = (root / relative).resolve()
            inside = file.is_relative_to(root) and file.is_file()
        except (OSError, ValueError):
            return None  # a NUL, or a name longer than names can be
        hidden = any(part.startswith(".") for part in Path(relative).parts)
        return file if inside and not hidden else None


class SafeHeaders:
    """Adds the security headers to every answer."""

    def __init__(self, app: ASGIApp, connect: Iterable[str], secure: bool) -> None:
        self._app = app
        self._headers = {
            "content-security-policy": policy(connect),
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "microphone=(self), camera=(), geolocation=()",
        }
        if secure:
            self._headers["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)
