"""The way to a browser that no UDP reaches: one WebSocket with mu-law both ways (`docs/listen-protocol.md`)."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Final

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from livemon.listen import frames
from livemon.listen.codec import ToUlaw
from livemon.listen.live import LiveSession
from livemon.listen.offer import SLOTS
from livemon.listen.rtp import CLOCKS, Timeline
from livemon.listen.service import ListenService
from livemon.listen.uplink import Piece
from sip_bridge.link.wire import FLAG_COMFORT_NOISE, FLAG_DTMF, TapPacket

log = logging.getLogger(__name__)

SUBPROTOCOL: Final = Subprotocol("livemon-listen.1")
TICKET_S: Final = 5.0
"""Seconds a connection has for its ticket."""
_BACKLOG: Final = 25
"""Frames waiting for a slow browser: 250 ms of two legs; the oldest is dropped, live audio stays live."""
_MAX_FRAME: Final = 65_536


class SocketTransport:
    """One WebSocket as the transport of a session."""

    kind: Final = "websocket"

    def __init__(self, socket: ServerConnection) -> None:
        self._socket = socket
        self._waiting: deque[bytes] = deque(maxlen=_BACKLOG)
        self._wake = asyncio.Event()
        self._timelines = [Timeline(0, 0) for _ in SLOTS]
        self._decoders = [ToUlaw("PCMU") for _ in SLOTS]
        self.connected = True
        self.dropped = 0

    def forward(self, slot: int, packet: TapPacket, codec: str) -> bool:
        """Queue a packet of `slot` as mu-law; the oldest waiting one makes room."""
        if packet.flags & (FLAG_DTMF | FLAG_COMFORT_NOISE) or codec not in CLOCKS or not self.connected:
            self._timelines[slot].leave_out(packet.seq)
            return False
        if self._decoders[slot].codec != codec:
            self._decoders[slot] = ToUlaw(codec)
        timestamp = packet.rtp_ts * 8000 // CLOCKS[codec]
        seq, ts, _ = self._timelines[slot].place(packet.seq, timestamp, packet.arrival_us, 8000)
        payload = self._decoders[slot].decode(packet.payload)[: frames.MAX_SAMPLES]
        self.dropped += len(self._waiting) == _BACKLOG
        self._waiting.append(frames.audio(slot, seq, ts, payload))
        self._wake.set()
        return True

    def cut(self, slot: int) -> None:
        """End the source of `slot`, and what still waits of it."""
        self._timelines[slot].cut()
        self._waiting = deque((frame for frame in self._waiting if frame[1] != slot), maxlen=_BACKLOG)

    def send_reports(self) -> None:
        """Do nothing: TCP has its own."""

    async def close(self) -> None:
        """Close the connection."""
        self.connected = False
        self._wake.set()
        await self._socket.close(1000, "closed")

    async def run(self, live: LiveSession) -> None:
        """Carry frames both ways until one side ends."""
        writer = asyncio.create_task(self._write(), name="fallback writer")  # noqa: TID251 - ends with this call
        try:
            async for message in self._socket:
                frame = frames.mic(message) if isinstance(message, bytes) else None
                if frame is None:
                    await self._socket.close(1003, "bad_frame")
                    return
                live.on_mic(Piece(frame.seq, frame.timestamp, "PCMU", frame.payload))
        finally:
            self.connected = False
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _write(self) -> None:
        while self.connected:
            self._wake.clear()
            while self._waiting:
                await self._socket.send(self._waiting.popleft())
            await self._wake.wait()


class FallbackServer:
    """Accepts the WebSockets of the fallback; `origins` are the pages that may open them."""

    def __init__(self, service: ListenService, server: Server) -> None:
        self._service = service
        self._server = server
        self.port: int = next(iter(server.sockets)).getsockname()[1]

    @classmethod
    async def start(
        cls,
        service: ListenService,
        host: str,
        port: int,
        origins: Sequence[str],
        tls: ssl.SSLContext | None = None,
    ) -> FallbackServer:
        """Listen on `host`:`port`; another Origin than `origins` is answered with 403 before the upgrade."""

        async def handler(socket: ServerConnection) -> None:
            await _serve(service, socket)

        server = await serve(
            handler,
            host,
            port,
            origins=[Origin(origin) for origin in origins],
            subprotocols=[SUBPROTOCOL],
            compression=None,
            max_size=_MAX_FRAME,
            ssl=tls,
            open_timeout=TICKET_S,
            server_header=None,
        )
        return cls(service, server)

    async def close(self) -> None:
        """Close every connection and stop listening."""
        self._server.close()
        await self._server.wait_closed()


async def _serve(service: ListenService, socket: ServerConnection) -> None:
    try:
        live = await _claimed(service, socket)
        if live is None:
            await socket.close(1008, "bad_ticket")
            return
        transport = SocketTransport(socket)
        await socket.send(json.dumps({"type": "ready", "session": live.id, "rate": 8000, "slots": list(SLOTS)}))
        service.use(live, transport)
        try:
            await transport.run(live)
        finally:
            service.on_transport_closed(live, transport, "browser_closed")
    except ConnectionClosed:
        return


async def _claimed(service: ListenService, socket: ServerConnection) -> LiveSession | None:
    try:
        async with asyncio.timeout(TICKET_S):
            first = await socket.recv()
        message = json.loads(first)
    except (TimeoutError, ValueError):
        return None
    ticket = message.get("ticket") if isinstance(message, dict) and message.get("type") == "ticket" else None
    return service.claim(ticket) if isinstance(ticket, str) else None
