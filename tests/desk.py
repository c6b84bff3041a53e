"""A supervisor's desk by script: the API a page uses, and the WebSocket way to hear and to speak."""

from __future__ import annotations

import asyncio
import json
import struct
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import numpy as np
from scipy import signal
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from livemon.demo.track import RATE, Samples
from sip_bridge.media.g711 import Law, decode
from tests.listening import ulaw
from tests.softphone import Softphone

FRAME_S = 0.02
HEAD = struct.Struct(">BBHI")
"""docs/listen-protocol.md: kind, slot, sequence number, timestamp."""


class Ears:
    """One open session: what was heard, by slot, and the microphone."""

    def __init__(self, client: httpx.AsyncClient, session: str, socket: ClientConnection) -> None:
        self.client = client
        self.session = session
        self.heard: dict[int, list[bytes]] = defaultdict(list)
        """mu-law payloads by slot: 0 agent, 1 customer, 2 others."""
        self.first_at: float | None = None
        """When the first sound came (loop time), None before."""
        self._socket = socket
        self._spoken = 0

    async def mode(self, mode: str, lease_ms: int | None = None) -> httpx.Response:
        """Ask for a mode."""
        body = {"mode": mode} | ({"lease_ms": lease_ms} if lease_ms else {})
        return await self.client.post(f"/api/sessions/{self.session}/mode", json=body)

    async def speak(self, payloads: list[bytes]) -> None:
        """Say mu-law frames of 20 ms into the microphone, in real time."""
        clock = asyncio.get_running_loop().time
        began = clock()
        for number, payload in enumerate(payloads):
            await self._socket.send(HEAD.pack(2, 0, self._spoken & 0xFFFF, self._spoken * 160) + payload)
            self._spoken += 1
            await asyncio.sleep(max(0.0, began + (number + 1) * FRAME_S - clock()))

    async def state(self) -> dict[str, Any]:
        """Return what the API says of this session."""
        sessions = (await self.client.get("/api/sessions")).json()["sessions"]
        return next((one for one in sessions if one["session"] == self.session), {})

    async def close(self) -> None:
        """End the session as the page does."""
        answer = await self.client.delete(f"/api/sessions/{self.session}")
        assert answer.status_code in (200, 204), answer.text

    async def read(self) -> None:
        """Take in what is heard until the connection ends."""
        try:
            async for frame in self._socket:
                assert isinstance(frame, bytes)
                if self.first_at is None:
                    self.first_at = asyncio.get_running_loop().time()
                self.heard[frame[1]].append(frame[HEAD.size :])
        except ConnectionClosed:
            return


class Desk:
    """Somebody who is signed in."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def calls(self, number: int, seconds: float = 15.0, **wanted: str) -> list[dict[str, Any]]:
        """Wait for `number` live calls whose members have these values (default: state talking)."""
        wanted = wanted or {"state": "talking"}
        seen: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(seconds):
                while True:
                    seen = (await self.client.get("/api/calls")).json()["calls"]
                    found = [call for call in seen if all(call[name] == value for name, value in wanted.items())]
                    if len(found) == number:
                        return found
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not {number} calls with {wanted}: {seen}") from None

    @asynccontextmanager
    async def listen(self, call: str, reason: str = "") -> AsyncIterator[Ears]:
        """Hear a call over the WebSocket."""
        asked = {"transport": "websocket", "reason": reason}
        answer = await self.client.post(f"/api/calls/{call}/listen", json=asked)
        assert answer.status_code == 201, answer.text
        opened = answer.json()
        origin = str(self.client.headers["origin"])
        url = opened["fallback_url"]
        if url.startswith(":"):
            url = f"ws://{self.client.base_url.host}{url}"
        headers = {"Origin": origin}
        async with connect(url, subprotocols=[Subprotocol("livemon-listen.1")], additional_headers=headers) as socket:
            await socket.send(json.dumps({"type": "ticket", "ticket": opened["fallback_ticket"]}))
            ready = json.loads(await socket.recv())
            assert ready["session"] == opened["session"]
            ears = Ears(self.client, opened["session"], socket)
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(ears.read())
                try:
                    yield ears
                finally:
                    reading.cancel()

    async def audit(self, **wanted: str) -> list[dict[str, Any]]:
        """Return audit entries, newest first."""
        answer = await self.client.get("/api/audit", params=wanted)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["entries"])


def sweep(seconds: float = 1.0) -> Samples:
    """What the supervisor says: every frequency of the telephone band, each once."""
    at = np.arange(round(seconds * RATE)) / RATE
    wave = signal.chirp(at, 400, seconds, 3000) * np.hanning(len(at)) ** 0.25
    return np.asarray(np.round(wave * 12000), dtype=np.int16)


def frames(samples: Samples) -> list[bytes]:
    """Return mu-law frames of 20 ms."""
    return [ulaw(samples[at : at + 160]) for at in range(0, len(samples) - 159, 160)]


def heard(phone: Softphone) -> Samples:
    """Return what a phone has heard, linear."""
    sound = b"".join(decode(one.payload, Law.PCMU) for one in phone.heard if one.payload_type == 0)
    return np.frombuffer(sound, dtype=np.int16)
