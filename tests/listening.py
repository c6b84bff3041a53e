"""Doubles of the node around the listening service, and a browser made of aiortc."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCBundlePolicy, RTCConfiguration
from av import AudioFrame
from av.audio.resampler import AudioResampler

from livemon.bus.messages import CallState, Mode, Principal, SessionState
from livemon.errors import Refused
from livemon.listen.ports import AuditEvent, BridgePort, LegMedia
from sip_bridge.link.wire import FLAG_COMFORT_NOISE, FLAG_DTMF, TapPacket, TapRow, WhisperChunk

__all__ = ["FLAG_COMFORT_NOISE", "FLAG_DTMF"]


def ulaw(pcm: np.ndarray) -> bytes:
    """Encode int16 samples as mu-law (G.711, table 2a), without the code under test."""
    x = pcm.astype(np.int32)
    sign = np.where(x < 0, 0x80, 0)
    magnitude = np.minimum(np.abs(x), 32635) + 0x84
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return bytes((~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8))


def from_ulaw(data: bytes) -> np.ndarray:
    """Decode mu-law to float samples of full scale 1."""
    u = ~np.frombuffer(data, np.uint8).astype(np.int32) & 0xFF
    magnitude = ((((u & 0x0F) << 3) + 0x84) << ((u >> 4) & 7)) - 0x84
    return np.where(u & 0x80, -magnitude, magnitude) / 32768.0


def tone(hz: float, start: int, samples: int = 160, amplitude: int = 8000) -> bytes:
    """Return mu-law samples of a sine that is continuous in `start`."""
    n = np.arange(start, start + samples)
    return ulaw((amplitude * np.sin(2 * math.pi * hz * n / 8000)).astype(np.int16))


def peak_hz(samples: np.ndarray, rate: int) -> tuple[float, float]:
    """Return (frequency of the strongest line, its share of the energy)."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    at = int(spectrum[1:].argmax()) + 1
    near = spectrum[max(1, at - 3) : at + 4].sum()
    return at * rate / len(samples), float(near / max(spectrum[1:].sum(), 1e-12))


@dataclass
class Wire:
    """Makes the tapped packets of one leg: a tone in mu-law, 20 ms a packet."""

    leg: int
    hz: float
    seq: int = 1000
    rtp_ts: int = 4_000_000
    sent: int = 0

    def packet(self, arrival_us: int, payload: bytes | None = None, payload_type: int = 0, flags: int = 0) -> TapPacket:
        body = tone(self.hz, self.sent * 160) if payload is None else payload
        made = TapPacket(
            self.leg,
            (self.seq + self.sent) & 0xFFFF,
            payload_type,
            False,
            flags,
            (self.rtp_ts + 160 * self.sent) & 0xFFFFFFFF,
            arrival_us,
            body,
        )
        self.sent += 1
        return made


def row(leg: int, samples: int, cdbfs: int) -> TapRow:
    """Return a row that says how much whisper the leg was sent."""
    return TapRow(leg, 100, 0, samples, 0, cdbfs, 5)


@dataclass
class FakeBridge(BridgePort):
    """Remembers what was asked of the bridge."""

    log: list[tuple[object, ...]] = field(default_factory=list)
    chunks: list[WhisperChunk] = field(default_factory=list)

    def listen(self, legs: Collection[int], on: bool) -> None:
        self.log.append(("listen", tuple(sorted(legs)), on))

    def grant(self, grant_id: int, segment: str, mode: Mode, counter: int, ttl_ms: int) -> None:
        self.log.append(("grant", grant_id, segment, mode, counter, ttl_ms))

    def revoke(self, grant_id: int) -> None:
        self.log.append(("revoke", grant_id))

    def gain(self, grant_id: int, whisper_db: float, duck_db: float) -> None:
        self.log.append(("gain", grant_id, whisper_db, duck_db))

    def whisper(self, chunk: WhisperChunk) -> None:
        self.chunks.append(chunk)

    def kinds(self) -> list[object]:
        return [entry[0] for entry in self.log]


@dataclass
class FakeCall:
    """A live call as the node would describe it."""

    id: str = "call-1"
    segment: str = "seg-1"
    bridge_name: str = "b1"
    bridge: FakeBridge = field(default_factory=FakeBridge)
    state: CallState = "talking"
    agent_id: str = "anna"
    team: str = "sales"
    queue: str = "q1"
    agent_leg: LegMedia | None = field(default_factory=lambda: LegMedia(1, "agent"))
    customer_leg: LegMedia | None = field(default_factory=lambda: LegMedia(2, "customer"))
    other_legs: tuple[LegMedia, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)

    def can(self, capability: str) -> str:
        return self.refused.get(capability, "")


@dataclass
class Calls:
    """The calls of the node."""

    live: dict[str, FakeCall] = field(default_factory=dict)

    def add(self, *calls: FakeCall) -> None:
        for call in calls:
            self.live[call.id] = call

    def call(self, id: str) -> FakeCall | None:  # noqa: A002
        return self.live.get(id)


@dataclass
class MemoryAudit:
    """A journal in memory; `broken` refuses, `gate` holds a record back until it is set."""

    events: list[AuditEvent] = field(default_factory=list)
    broken: bool = False
    gate: asyncio.Event | None = None

    async def record(self, event: AuditEvent) -> None:
        if self.broken:
            raise Refused("audit_unavailable", "The journal cannot be written.", 503)
        if self.gate is not None:
            await self.gate.wait()
        self.events.append(event)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


@dataclass
class States:
    """Collects what is published."""

    seen: list[SessionState] = field(default_factory=list)

    def __call__(self, state: SessionState) -> None:
        self.seen.append(state)

    @property
    def last(self) -> SessionState:
        return self.seen[-1] if self.seen else SessionState("", "", "", "listen", "connecting")


def principal(
    *rights: str, user: str = "sue", teams: tuple[str, ...] | None = None, all_calls: bool = False
) -> Principal:
    """Return a supervisor with these rights (default: listen, whisper, barge)."""
    granted = rights or ("listen", "whisper", "barge")
    return Principal(user, user.title(), "supervisor", granted, all_calls, teams)  # type: ignore[arg-type]


class ToneTrack(MediaStreamTrack):
    """A microphone that plays a sine."""

    kind = "audio"

    def __init__(self, hz: float) -> None:
        super().__init__()
        self._hz = hz
        self._at = 0
        self._start: float | None = None

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        if self._start is None:
            self._start = loop.time()
        await asyncio.sleep(max(0.0, self._start + self._at / 8000 - loop.time()))
        n = np.arange(self._at, self._at + 160)
        pcm = (8000 * np.sin(2 * math.pi * self._hz * n / 8000)).astype(np.int16)
        frame = AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 8000
        frame.pts = self._at
        self._at += 160
        return frame


class RtcClient:
    """A browser made of aiortc: three audio lines, heard samples by slot at 8000 Hz."""

    def __init__(self, mic_hz: float | None = None, lines: int = 3) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.heard: list[list[np.ndarray]] = [[] for _ in range(lines)]
        self._tasks: set[asyncio.Task[None]] = set()
        self.pc.addTransceiver(ToneTrack(mic_hz) if mic_hz else "audio", direction="sendrecv")
        for _ in range(lines - 1):
            self.pc.addTransceiver("audio", direction="recvonly")

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def accept(self, sdp: str) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        for index, transceiver in enumerate(self.pc.getTransceivers()):
            task = asyncio.create_task(self._hear(index, transceiver.receiver.track))  # noqa: TID251 - held here
            self._tasks.add(task)

    async def connected(self, seconds: float = 5.0) -> bool:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self.pc.connectionState != "connected":
            if loop.time() > end or self.pc.connectionState in ("failed", "closed"):
                return False
            await asyncio.sleep(0.01)
        return True

    def samples(self, slot: int) -> np.ndarray:
        parts = self.heard[slot]
        return np.concatenate(parts) if parts else np.zeros(0)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pc.close()

    async def _hear(self, index: int, track: MediaStreamTrack) -> None:
        resampler = AudioResampler(format="s16", layout="mono", rate=8000)
        while True:
            frame = await track.recv()
            assert isinstance(frame, AudioFrame)
            for made in resampler.resample(frame):
                self.heard[index].append(made.to_ndarray().reshape(-1) / 32768.0)


def open_descriptors() -> int:
    """Return how many descriptors this process holds."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208
