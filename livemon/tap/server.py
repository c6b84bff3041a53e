"""The link server: bridges dial in over a Unix socket or TCP with TLS."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from livemon.errors import ConfigError
from livemon.tap.keys import LinkKeys
from livemon.tap.link import Link, LinkEvents

log = logging.getLogger(__name__)

SUBPROTOCOL = "livemon-link.1"
MAX_MESSAGE = 1024 * 1024
_BACKLOG = (512, 128)
"""Messages read ahead before TCP pushes back, and where reading goes on: a second of tap frames of one bridge.
The bridge drops what does not fit, so a stalled node costs it nothing."""
_PING = 2.0
"""Seconds between pings; a bridge whose host died is noticed after twice that, a process's death at once."""


class LinkServer:
    """Listens for bridges at `url` (unix:///path or tcp://host:port)."""

    def __init__(self, url: str, keys: LinkKeys, events: LinkEvents, tls: ssl.SSLContext | None = None) -> None:
        self._url = url
        self._keys = keys
        self._events = events
        self._tls = tls
        self._server: Server | None = None
        self._links: set[Link] = set()
        self.refused = 0

    @property
    def port(self) -> int:
        """The TCP port that is listened on."""
        assert self._server is not None, "not started"
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def start(self) -> None:
        """Listen; raises ConfigError if that cannot be."""
        try:
            sock = _listen(self._url)
        except OSError as error:
            raise ConfigError(f"node.link: {self._url} cannot be listened on: {error.strerror}") from error
        self._server = await serve(
            self._accept,
            sock=sock,
            ssl=self._tls,
            process_request=self._check,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            max_size=MAX_MESSAGE,
            max_queue=_BACKLOG,
            ping_interval=_PING,
            ping_timeout=_PING,
        )

    async def close(self) -> None:
        """Stop listening and cut every bridge."""
        if self._server is not None:
            self._server.close(code=1001, reason="the node goes away")
            try:
                await asyncio.wait_for(self._server.wait_closed(), 2.0)
            except TimeoutError:
                for link in list(self._links):
                    link.abort()

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        if not self._keys.accepts(_one(request.headers, "Authorization")):
            self.refused += 1
            log.warning("a bridge with a wrong key was refused")
            return connection.respond(HTTPStatus.UNAUTHORIZED, "wrong key\n")
        offered = [
            name.strip() for name in request.headers.get_all("Sec-WebSocket-Protocol") for name in name.split(",")
        ]
        if SUBPROTOCOL not in offered:
            self.refused += 1
            return connection.respond(HTTPStatus.BAD_REQUEST, f"this node speaks {SUBPROTOCOL}\n")
        return None

    async def _accept(self, connection: ServerConnection) -> None:
        link = Link(connection, self._events)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)


def _listen(url: str) -> socket.socket:
    parts = urlsplit(url)
    if parts.scheme != "unix":
        host = parts.hostname or "127.0.0.1"
        return socket.create_server((host, parts.port or 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    path = Path(parts.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    # The bridge may run as another user of the same group; the key decides who is let in.
    path.chmod(0o660)
    return sock


def _one(headers: Headers, name: str) -> str | None:
    values = headers.get_all(name)
    return values[0] if len(values) == 1 else None


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a server context of TLS 1.2 and later; raises ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"node.link_tls: {certificate.name} and {key.name} cannot be used: {error}") from error
    return context
