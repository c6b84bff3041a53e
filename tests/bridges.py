"""A bridge's end of the link: a real WebSocket client that speaks `sip_bridge.link.wire`."""

from __future__ import annotations

import asyncio
import audioop
import json
import math
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from livemon.tap.messages import Segment
from sip_bridge.link import wire

KEY = "0123456789abcdef" * 4


def mono_us() -> int:
    """CLOCK_MONOTONIC in microseconds."""
    return time.monotonic_ns() // 1000


def tone(frames: int, level: int = 8000, hertz: float = 440.0) -> list[bytes]:
    """Return speech-like mu-law frames of 20 ms: a tone whose loudness goes up and down four times a second."""
    out = []
    for frame in range(frames):
        samples = b"".join(
            int(
                level * (0.6 + 0.4 * math.sin(2 * math.pi * 4 * t / 8000)) * math.sin(2 * math.pi * hertz * t / 8000)
            ).to_bytes(2, "little", signed=True)
            for t in range(frame * 160, frame * 160 + 160)
        )
        out.append(audioop.lin2ulaw(samples, 2))
    return out


class FakeBridge:
    """What a bridge's control and media do on the link, as far as a node can tell."""

    def __init__(self, name: str = "b1", boot: str = "boot-1", epoch: int = 1) -> None:
        self.name = name
        self.boot = boot
        self.epoch = epoch
        self.tick = 0
        self.ring: list[tuple[int, bytes]] = []
        self.said: list[dict[str, Any]] = []
        self.audio: list[wire.WhisperChunk] = []
        self.connection: ClientConnection | None = None
        self.resumed: int | None = None
        self._news = asyncio.Event()

    @asynccontextmanager
    async def connected(self, url: str, key: str = KEY, segments: Iterable[Segment] = ()) -> AsyncIterator[FakeBridge]:
        """Dial, say hello, replay what the welcome asks for, announce `segments`."""
        headers = {"Authorization": f"Bearer {key}"}
        protocols = [Subprotocol("livemon-link.1")]
        if url.startswith("unix://"):
            dial = unix_connect(
                url.removeprefix("unix://"), additional_headers=headers, subprotocols=protocols, compression=None
            )
        else:
            dial = connect(
                url.replace("tcp://", "ws://"), additional_headers=headers, subprotocols=protocols, compression=None
            )
        async with dial as self.connection:
            await self.say(
                {
                    "t": "hello",
                    "version": 1,
                    "bridge": self.name,
                    "boot": self.boot,
                    "mono_ns": time.monotonic_ns(),
                    "utc_ms": int(time.time() * 1000),  # noqa: TID251 - a bridge's anchor is the wall clock
                    "oldest_tick": self.ring[0][0] if self.ring else 0,
                    "newest_tick": self.tick,
                }
            )
            welcome = json.loads(await self.connection.recv())
            assert welcome["t"] == "welcome"
            self.resumed = welcome["resume_tick"]
            for one in segments:
                await self.announce(one)
            await self.say({"t": "announced"})
            if self.resumed is not None:
                for tick, frame in list(self.ring):
                    if tick > self.resumed:
                        await self.connection.send(frame)
            reader = asyncio.get_running_loop().create_task(self._read(self.connection))
            try:
                yield self
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
                self.connection = None

    async def say(self, message: dict[str, Any]) -> None:
        """Send a JSON message."""
        assert self.connection is not None
        await self.connection.send(json.dumps(message))

    async def announce(self, segment: Segment) -> None:
        """Send the state of a segment."""
        assert self.connection is not None
        await self.connection.send(msgspec.json.encode(segment).decode())

    async def packets(self, *packets: wire.TapPacket) -> None:
        """Make a PACKETS frame; it is sent if there is a link, and kept for replay."""
        records = b"".join(
            wire.packet_record(p.leg, p.seq, p.payload_type | p.marker << 7, p.flags, p.rtp_ts, p.arrival_us, p.payload)
            for p in packets
        )
        self.tick += 1
        frame = wire.head(wire.PACKETS, len(packets), self.epoch, self.tick, self.tick - 1) + records
        self.ring.append((self.tick, frame))
        if self.connection is not None:
            with suppress(ConnectionClosed):  # the call goes on without a node
                await self.connection.send(frame)

    async def heard(self, kind: str, timeout: float = 3.0) -> dict[str, Any]:
        """Wait for a message of `kind` from the node."""
        async with asyncio.timeout(timeout):
            while True:
                for message in self.said:
                    if message["t"] == kind:
                        self.said.remove(message)
                        return message
                self._news.clear()
                await self._news.wait()

    async def _read(self, connection: ClientConnection) -> None:
        async for message in connection:
            if isinstance(message, str):
                self.said.append(json.loads(message))
            elif isinstance(chunk := wire.decode(message), wire.WhisperChunk):
                self.audio.append(chunk)
            self._news.set()
