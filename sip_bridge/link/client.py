"""The connection to a node: dialled, authenticated, announced, and dialled again when it breaks.

Nothing here can hold up a call: what the node does not take in time is dropped, and its loss only ends the listening.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from sip_bridge.errors import LinkError
from sip_bridge.link.outbox import Outbox
from sip_bridge.tasks import Tasks

log = logging.getLogger(__name__)

SUBPROTOCOL: Final = Subprotocol("livemon-link.1")
MAX_MESSAGE: Final = 1 << 20
"""Bytes of one message, as the protocol says."""
BACKOFF_FIRST: Final = 0.1
BACKOFF_LONGEST: Final = 0.5
"""Seconds between attempts: audio is to be back 3 s after the node's death, and a dial costs a fraction of a ms."""
WRITE_LIMIT: Final = 256 << 10
"""Bytes the socket may owe before sending waits; beyond, dropping is our decision and not the kernel's."""
HANDSHAKE_TIMEOUT: Final = 3.0
PING_EVERY: Final = 2.0
"""Seconds; a node that has hung (not died) is noticed after two of these, and its grants end."""


class LinkOwner(Protocol):
    """Whoever the link serves: the control process."""

    def announcement(self) -> Iterable[dict[str, Any]]:
        """Return what a node is told first: hello, every live segment, announced."""

    def replay_after(self, tick: int | None) -> list[bytes]:
        """Return the tap frames held after `tick`."""

    def on_link_text(self, message: dict[str, Any]) -> None:
        """Take a JSON message of the node."""

    def on_link_frame(self, frame: bytes) -> None:
        """Take a binary message of the node."""

    def on_link_lost(self) -> None:
        """The connection ended: every grant ends with it."""


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """Where the node listens (`unix:///path` or `ws(s)://host:port/`) and the key that opens it."""

    url: str
    key: str


class LinkClient:
    """Keeps one connection to one node."""

    def __init__(self, address: LinkAddress, owner: LinkOwner, now_ns: Callable[[], int]) -> None:
        self.connected = False
        self.attempts = 0
        self.dropped = 0
        self._address = address
        self._owner = owner
        self._now_ns = now_ns
        self._tasks = Tasks("link")
        self._outbox = Outbox()
        self._wake = asyncio.Event()

    def start(self) -> None:
        """Begin dialling."""
        self._tasks.start(self._run(), "dial")

    async def close(self) -> None:
        """Hang up and stop dialling."""
        await self._tasks.close()

    def tell(self, message: dict[str, Any]) -> None:
        """Send a JSON message if a node is there; the next one is told everything anyway."""
        if self.connected:
            self._outbox.tell(message)
            self._wake.set()

    def tap(self, frame: bytes) -> None:
        """Send a tap frame if a node is there."""
        if self.connected:
            self._outbox.tap(frame, self._now_ns())
            self._wake.set()

    async def _run(self) -> None:
        pause = BACKOFF_FIRST
        while True:
            self.attempts += 1
            try:
                async with self._dial() as socket:
                    pause = BACKOFF_FIRST
                    await self._serve(socket)
            except InvalidStatus as error:
                log.error("the node refused the link with HTTP %d", error.response.status_code)
            except (OSError, WebSocketException, InvalidHandshake, LinkError, TimeoutError) as error:
                log.warning("link down: %s", error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, BACKOFF_LONGEST)

    def _dial(self) -> connect:
        url = self._address.url
        options: dict[str, Any] = {
            "subprotocols": [SUBPROTOCOL],
            "additional_headers": {"Authorization": f"Bearer {self._address.key}"},
            "compression": None,
            "max_size": MAX_MESSAGE,
            "write_limit": WRITE_LIMIT,
            "open_timeout": HANDSHAKE_TIMEOUT,
            "ping_interval": PING_EVERY,
            "ping_timeout": PING_EVERY,
            "close_timeout": PING_EVERY,
            "user_agent_header": "sip-bridge",
        }
        if url.startswith("unix://"):
            return unix_connect(url.removeprefix("unix://"), "ws://localhost/", **options)
        # A proxy of the environment is for web pages; the link goes straight.
        return connect(url, proxy=None, **options)

    async def _serve(self, socket: ClientConnection) -> None:
        if socket.subprotocol != SUBPROTOCOL:
            raise LinkError(f"the node does not speak {SUBPROTOCOL}")
        self._outbox = Outbox()
        for message in self._owner.announcement():
            self._outbox.tell(message)
        self.connected = True
        self._wake.set()
        log.info("link up")
        sender = self._tasks.start(self._send(socket), "send")
        try:
            async for received in socket:
                self._take(received)
        finally:
            self.connected = False
            self.dropped += self._outbox.dropped
            sender.cancel()
            self._owner.on_link_lost()

    async def _send(self, socket: ClientConnection) -> None:
        outbox = self._outbox
        while not outbox.overrun:
            message = outbox.next()
            if message is None:
                self._wake.clear()
                await self._wake.wait()
            else:
                await socket.send(message)
        await socket.close(1013, "events were lost")

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._owner.on_link_frame(message)
            return
        try:
            fields = json.loads(message)
        except ValueError:
            return
        if not isinstance(fields, dict):
            return
        if fields.get("t") == "welcome":
            tick = fields.get("resume_tick")
            self._outbox.replay(self._owner.replay_after(tick if isinstance(tick, int) else None))
            self._wake.set()
            return
        self._owner.on_link_text(fields)
