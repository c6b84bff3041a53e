"""One session joined to its surroundings: the call's legs on one side, the browser's transport on the other."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Literal, Protocol

from livemon.bus.messages import Principal, SessionState
from livemon.listen.codec import ToUlaw
from livemon.listen.fanout import Fanout, Tap
from livemon.listen.frames import MAX_SAMPLES
from livemon.listen.mixer import OthersMixer
from livemon.listen.offer import source_codec
from livemon.listen.ports import AuditEvent, AuditValue, LegMedia, LiveCall
from livemon.listen.rtp import CLOCKS
from livemon.listen.session import Session, State
from livemon.listen.uplink import HOLD_S, Piece, Reorder
from sip_bridge.link.wire import FLAG_COMFORT_NOISE, FLAG_DTMF, TapPacket, TapRow, WhisperChunk

AGENT, CUSTOMER, OTHERS = range(3)
"""Slots towards the browser."""


class Transport(Protocol):
    """A way to the browser."""

    @property
    def kind(self) -> Literal["webrtc", "websocket"]:
        """Its name in `SessionState`."""

    @property
    def connected(self) -> bool:
        """Whether audio can flow."""

    def forward(self, slot: int, packet: TapPacket, codec: str) -> bool:
        """Send a packet in `slot`; False when it was not sent."""

    def cut(self, slot: int) -> None:
        """End the source of `slot`."""

    def send_reports(self) -> None:
        """Send what the transport reports every few seconds."""

    async def close(self) -> None:
        """Say goodbye and close."""


class _LegTap:
    """Carries one leg to one slot."""

    __slots__ = ("_codec", "_codecs", "_live", "_slot")

    def __init__(self, live: LiveSession, slot: int, media: LegMedia) -> None:
        self._live = live
        self._slot = slot
        self._codec = media.codec.upper()
        self._codecs = media.codecs

    def __call__(self, packet: TapPacket) -> None:
        live = self._live
        transport = live.transport
        if transport is None or not live.core.hearing:
            return
        codec = source_codec(packet.payload_type, self._codec, self._codecs)
        if transport.forward(self._slot, packet, codec):
            live.forwarded = True


class _OtherTap:
    """Carries one more leg into the mix of the third slot."""

    __slots__ = ("_decoder", "_live", "_media")

    def __init__(self, live: LiveSession, media: LegMedia) -> None:
        self._live = live
        self._media = media
        self._decoder = ToUlaw("")

    def __call__(self, packet: TapPacket) -> None:
        if packet.flags & (FLAG_DTMF | FLAG_COMFORT_NOISE) or not self._live.core.hearing:
            return
        codec = source_codec(packet.payload_type, self._media.codec.upper(), self._media.codecs)
        if codec != self._decoder.codec:
            self._decoder = ToUlaw(codec)
        self._live.mix(f"leg:{self._media.leg}", self._decoder.decode(packet.payload))


class LiveSession:
    """A session in the node: who, on which call, through which transport."""

    def __init__(self, principal: Principal, call: LiveCall, remote: str, reason: str, now: float) -> None:
        self.id = secrets.token_hex(12)
        self.principal = principal
        self.call = call
        self.remote = remote
        self.reason = reason
        self.core = Session(now)
        self.transport: Transport | None = None
        self.lock = asyncio.Lock()
        self.forwarded = False
        self.record_open = False
        self.grant_id = _new_grant_id()
        # Remembered apart from `call`, which may be a view that changes by itself.
        self.segment = (call.id, call.segment)
        self.bridge = (call.bridge_name, call.bridge)
        self.mixer = OthersMixer()
        self.on_mixing: Callable[[], None] = lambda: None
        self.on_spoken: Callable[[LiveSession, bytes], None] = lambda live, samples: None
        self.ticket = ""
        self.mic_dropped = 0
        self.denied_at = float("-inf")
        self._reorder = Reorder()
        self._mic_decoder = ToUlaw("PCMU")
        self._taps: list[tuple[int, Tap]] = []

    def take_forwarded(self) -> bool:
        """Return whether audio went to the browser since the last call."""
        forwarded, self.forwarded = self.forwarded, False
        return forwarded

    def attach(self, call: LiveCall, fanout: Fanout) -> None:
        """Hear `call` from now on."""
        self.detach(fanout)
        if (call.id, call.segment) != self.segment:
            self.grant_id = _new_grant_id()
        self.call = call
        self.segment = (call.id, call.segment)
        self.bridge = (call.bridge_name, call.bridge)
        for slot, media in ((AGENT, call.agent_leg), (CUSTOMER, call.customer_leg)):
            if media is not None:
                self._taps.append((media.leg, _LegTap(self, slot, media)))
        self._taps += [(media.leg, _OtherTap(self, media)) for media in call.other_legs]
        for leg, tap in self._taps:
            fanout.add(call.bridge_name, call.bridge, leg, tap)
        if call.agent_leg is not None:
            fanout.watch(call.bridge_name, call.agent_leg.leg, self.on_row)

    def detach(self, fanout: Fanout) -> None:
        """Hear nothing from now on."""
        for leg, tap in self._taps:
            fanout.remove(*self.bridge, leg, tap)
        self._taps = []
        fanout.unwatch(self.on_row)
        self.mixer = OthersMixer()
        if self.transport is not None:
            for slot in (AGENT, CUSTOMER, OTHERS):
                self.transport.cut(slot)

    def on_row(self, row: TapRow, now: float) -> None:
        """Take in what the agent leg was really sent."""
        self.core.row(row.whispered_samples, row.whisper_cdbfs, now)

    def mix(self, source: str, ulaw: bytes) -> None:
        """Add somebody else's samples to the third slot."""
        if ulaw:
            was_idle = self.mixer.idle
            self.mixer.feed(source, ulaw)
            if was_idle:
                self.on_mixing()

    def send_mix(self, now_us: int) -> bool:
        """Send the next 20 ms of the third slot; returns whether there is more to come."""
        payload = self.mixer.tick()
        transport = self.transport
        if payload and transport is not None and self.core.hearing:
            packet = TapPacket(0, self.mixer.seq, 0, False, 0, self.mixer.timestamp, now_us, payload)
            self.forwarded = transport.forward(OTHERS, packet, "PCMU") or self.forwarded
        return not self.mixer.idle

    def on_mic(self, piece: Piece) -> None:
        """Take one packet of the microphone; dropped unless the supervisor may speak right now."""
        if not self.core.speaking:
            self.mic_dropped += 1
            self._reorder.reset()
            return
        loop = asyncio.get_running_loop()
        for ordered in self._reorder.feed(piece, loop.time()):
            self._whisper(ordered)
        if self._reorder.holding:
            loop.call_later(HOLD_S, self._flush_mic)

    def _flush_mic(self) -> None:
        for piece in self._reorder.due(asyncio.get_running_loop().time()):
            self._whisper(piece)

    def _whisper(self, piece: Piece) -> None:
        if not self.core.speaking:
            return
        if piece.codec != self._mic_decoder.codec:
            self._mic_decoder = ToUlaw(piece.codec)
        samples = self._mic_decoder.decode(piece.payload)[:MAX_SAMPLES]
        if samples:
            timestamp = piece.timestamp * 8000 // CLOCKS[piece.codec] & 0xFFFFFFFF
            self.call.bridge.whisper(WhisperChunk(self.grant_id, piece.seq, timestamp, samples))
            self.on_spoken(self, samples)

    def state(self, now: float, now_ms: int) -> SessionState:
        """Return the state as pages see it; one that waits for a hop or its bridge is still connected."""
        core = self.core
        shown = State.CONNECTED if core.state in (State.WAITING, State.SUSPENDED) else core.state
        return SessionState(
            session=self.id,
            user_id=self.principal.user_id,
            call=self.call.id,
            mode=core.mode,
            state=shown.value,
            refused=core.refused,
            whisper_dbfs=core.whisper_dbfs(now),
            whispered_ms=core.whispered_samples // 8,
            heard_ms=int(core.heard_s * 1000),
            transport="webrtc" if self.transport is None else self.transport.kind,
            now_ms=now_ms,
        )

    def figures(self) -> dict[str, AuditValue]:
        """Return the seconds heard and spoken on this call, for the audit."""
        return {"heard_s": round(self.core.heard_s, 1), "whispered_s": round(self.core.whispered_samples / 8000, 1)}

    def left(self) -> dict[str, AuditValue]:
        """Return what a hop leaves behind, for the audit."""
        return {"left_call": self.call.id, "left_segment": self.call.segment} | self.figures()

    def event(self, kind: str, **more: AuditValue) -> AuditEvent:
        """Return an audit event of this session: who, whom, why, from where, and `more`."""
        return audit_event(kind, self.principal, self.call, self.remote, session=self.id, **more)


def audit_event(kind: str, principal: Principal, call: LiveCall, remote: str, **more: AuditValue) -> AuditEvent:
    """Return an audit event that names the person, the call and its agent."""
    fields: dict[str, AuditValue] = {
        "user": principal.user_id,
        "role": principal.role,
        "call": call.id,
        "segment": call.segment,
        "agent": call.agent_id,
        "team": call.team,
        "queue": call.queue,
        "remote": remote,
    }
    return AuditEvent(kind, fields | more)


def _new_grant_id() -> int:
    # The link carries 32 bits; zero is left out so that a forgotten id is never a valid one.
    return secrets.randbelow(0xFFFFFFFF) + 1
