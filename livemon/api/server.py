"""The HTTP server: uvicorn with absolute deadlines and a cap on the connections of one address.

uvicorn's own time-outs begin anew with every byte, so a peer that trickles a header line every few seconds keeps a
connection for ever. Here a request's head, and its body, must be complete within a fixed time of their first byte,
and an answer that the peer does not read is given up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from livemon.api.settings import WebSettings

log = logging.getLogger(__name__)

HEAD_WITHIN: Final = 10.0
"""Seconds from the connection, or from a request's first byte, to the end of its head."""
BODY_WITHIN: Final = 10.0
"""Seconds from the end of the head to the end of the body: 64 KiB on the slowest line in use."""
READ_WITHIN: Final = 10.0
"""Seconds in which a peer must read something of an answer that waits for it."""
MAX_HEAD: Final = 32 * 1024
"""Bytes of a request's head; browsers stay below 8 kB."""
WS_MESSAGE: Final = 64 * 1024
"""Bytes of one WebSocket message from a page (OWASP; uvicorn's default is 16 MiB)."""


class Doors:
    """How many connections each address holds."""

    def __init__(self, per_address: int) -> None:
        self._per_address = per_address
        self._held: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Count a connection in; False if the address holds as many as it may."""
        if self._held[address] >= self._per_address:
            return False
        self._held[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Count a connection out."""
        self._held[address] -= 1
        if self._held[address] <= 0:
            del self._held[address]

    def held(self, address: str) -> int:
        """Return how many connections `address` holds."""
        return self._held.get(address, 0)


class DeadlineHttp(HttpToolsProtocol):
    """uvicorn's HTTP protocol with deadlines; `doors` is set on a subclass by `configure`."""

    doors: Doors

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = True
        self._address = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let the peer in, if it may hold one more connection."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self.doors.enter(address):
            log.warning("an address holds too many connections")
            transport.abort()
            return
        self._address = address
        self._arm(HEAD_WITHIN)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the peer out."""
        self._disarm()
        self._unstall()
        if self._address:
            self.doors.leave(self._address)
            self._address = ""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in bytes; a head that grows beyond all use ends the connection."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response("The request's head is too long.")

    def on_message_begin(self) -> None:
        """Start the clock of a request's head."""
        super().on_message_begin()
        if self._deadline is None:
            self._arm(HEAD_WITHIN)

    def on_headers_complete(self) -> None:
        """Start the clock of its body."""
        self._in_head = False
        self._arm(BODY_WITHIN)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop the clock; how long the answer takes is our affair."""
        self._disarm()
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection, and its place at the door, to the WebSocket."""
        self._disarm()
        self._unstall()
        super().handle_websocket_upgrade()
        successor = self.transport.get_protocol()
        if isinstance(successor, CountedWebSocket):
            successor.hold(self.doors, self._address)
            self._address = ""

    def pause_writing(self) -> None:
        """Begin to wait for a peer that does not read."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(READ_WITHIN, self._give_up)

    def resume_writing(self) -> None:
        """Stop waiting: it read something."""
        self._unstall()
        super().resume_writing()

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _unstall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _give_up(self) -> None:
        self.transport.abort()


class CountedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket that keeps its place at the door, and can be ended when its peer does not read."""

    _doors: Doors | None = None
    _address = ""

    def hold(self, doors: Doors, address: str) -> None:
        """Take over the place of the HTTP connection this one was."""
        if self.transport.is_closing():
            doors.leave(address)
            return
        self._doors, self._address = doors, address

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the peer out."""
        if self._doors is not None:
            self._doors.leave(self._address)
            self._doors = None
        super().connection_lost(exc)

    def handle_connect(self, event: Any) -> None:
        """Start the application, with a way to end the connection at once."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: Any = self.scope["extensions"]
            extensions["livemon.abort"] = {"abort": self.transport.abort}


def configure(app: Any, settings: WebSettings) -> uvicorn.Config:
    """Return the server's configuration; every limit is set here, none left to a default."""
    doors = Doors(settings.connections_per_address)
    http = type("Http", (DeadlineHttp,), {"doors": doors})
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=http,
        ws=CountedWebSocket,
        ws_max_size=WS_MESSAGE,
        ws_per_message_deflate=False,
        # 20 s: a page whose machine was closed is noticed within 40 s.
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=3,
        # Connections in all; the descriptors of a process are 1024 on an ordinary system.
        limit_concurrency=900,
        backlog=512,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=str(settings.tls_key) if settings.tls_key else None,
        server_header=False,
        access_log=False,
        log_config=None,
        lifespan="on",
    )


class Server(uvicorn.Server):
    """uvicorn's server; `port` is the bound port once it is started."""

    @property
    def port(self) -> int:
        """Return the port that is listened on, also when 0 was asked for."""
        return int(self.servers[0].sockets[0].getsockname()[1])
