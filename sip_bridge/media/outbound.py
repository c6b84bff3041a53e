"""What one phone is sent: a stream of our own, whatever feeds it.

The stream has its own SSRC, sequence numbers and timestamps from its first packet, so that nothing on the wire shows
when a listener comes or goes. Holes and disorder of the source are kept; the offsets move only when packets are put in
between. `AgentOutbound` takes whisper and barge, `CustomerOutbound` takes barge alone.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from types import FunctionType
from typing import Final, Protocol

from .commands import Address
from .g711 import RATE, Law, silence
from .grants import BargeAudio, WhisperAudio
from .leg import COMFORT_NOISE, LAWS, Current, Leg
from .mix import Mixer
from .rtp import HEADER, M16, M32, NUMBERS, VERSION_2, later, newer

pack_numbers: Final = NUMBERS.pack_into

HOLD_OFF_NS: Final = 60_000_000
"""The carrier counts as silent after three packets' time; sooner, jitter alone would put packets in between."""
HEAD_START_NS: Final = 5_000_000
"""Generated packets go out this long after a chunk of the supervisor's is due: jitter below it costs nothing."""
REMEMBERED: Final = 64
"""Packets for which the offset before an insertion is kept, for late ones."""
LATE: Final = 5
"""So many packets of the carrier in a row behind what was generated: its clock has stood still, move with it."""
FAR_BEHIND: Final = RATE // 5
"""Units (200 ms) behind what was generated at which the carrier's clock surely stood still."""


class Origin(Enum):
    """Where a packet towards the customer comes from. The list is closed, and whisper is not on it."""

    PASSTHROUGH = "passthrough"
    BARGE = "barge"
    TAKEOVER = "takeover"
    SIDEBAR_SILENCE = "sidebar_silence"
    TONE = "tone"
    TRANSCODED = "transcoded"


def first_law(leg: Leg) -> Law:
    """Return the G.711 law a phone named first; mu-law if it named none."""
    named = (LAWS.get(leg.kinds[number]) for number in leg.codecs)
    return next((law for law in named if law is not None), Law.PCMU)


class Send(Protocol):
    """Sends one datagram."""

    def __call__(self, data: memoryview | bytes, address: Address, /) -> object:
        """Send `data` to `address`."""


class Outbound:
    """The stream to one phone; `mixer` is private to the two kinds of it."""

    # What every packet touches comes first: with thousands of streams, each cache line counts.
    __slots__ = (  # noqa: RUF023
        "leg", "_current", "_send", "_mixer", "ssrc", "seq_offset", "ts_offset", "seq", "timestamp", "carrier_ns",
        "packets", "octets", "_inserted", "_memory", "comfort_ns", "generated_ns", "fed_ns", "next_ns", "generated",
        "mixed", "failed", "law", "marked", "_old_offset", "_boundary", "_late",
    )  # fmt: skip

    def __init__(self, leg: Leg, current: Current, send: Send, entropy: Callable[[int], bytes]) -> None:
        self.leg = leg
        """The phone's own leg: payload types, packet time, and where it is."""
        self._current = current
        self._send = send
        self._mixer = Mixer()
        numbers = entropy(10)
        self.ssrc = int.from_bytes(numbers[:4])
        self.seq = int.from_bytes(numbers[4:6])
        """The newest sequence number sent."""
        self.timestamp = int.from_bytes(numbers[6:])
        self.seq_offset = 0
        self.ts_offset = 0
        self.comfort_ns = 0
        """When the carrier's last comfort noise passed; 0 before the first."""
        self.carrier_ns = 0
        """When the carrier's last packet that was no comfort noise passed."""
        self.generated_ns = 0
        self.fed_ns = 0
        """When the supervisor's newest chunk came."""
        self.next_ns = 0
        """When the next generated packet is due, if the carrier stays silent."""
        self.packets = self.octets = self.generated = self.mixed = self.failed = 0
        self.law: Law | None = None
        self.marked = False
        self._inserted = False
        self._memory = 0
        self._old_offset = 0
        self._boundary = 0
        self._late = 0

    def __init_subclass__(cls) -> None:
        # CPython keeps what it has learned of a function's types in its code: shared by two classes whose packets
        # alternate, `forward` would never be specialised and take half as long again. So each has a copy.
        shared = Outbound.forward
        cls.forward = FunctionType(shared.__code__.replace(), shared.__globals__)  # type: ignore[method-assign]

    @property
    def mixer(self) -> Mixer:
        """Who speaks into this stream."""
        return self._mixer

    def forward(self, source: Leg, payload: bytes, now: int) -> bool:
        """Send on the packet `source` has just received; tell whether offsets moved."""
        leg = self.leg
        remote = leg.source
        if not leg.send or remote is None:
            return False
        current = self._current
        moved = source.renewed
        if moved:
            self._anchor(source, now)
        offset = self.seq_offset
        if self._inserted or self._memory:
            before = self.ts_offset
            offset = self._rejoin(source, now)
            moved = moved or before != self.ts_offset
        seq = (current.seq + offset) & M16
        timestamp = (current.timestamp + self.ts_offset) & M32
        if current.fresh:
            self.seq = seq
            self.timestamp = timestamp
        if current.kind == COMFORT_NOISE:
            self.comfort_ns = now
        else:
            self.carrier_ns = now
        pack_numbers(current.buffer, 2, seq, timestamp, self.ssrc)
        self._finish(source, payload, now)
        try:
            self._send(current.view[: current.size], remote)
        except OSError:
            self.failed += 1
        self.packets += 1
        self.octets += len(payload)
        return moved

    def generate(self, now: int) -> bool:
        """Send a packet of our own if one is due, the carrier is silent and somebody speaks; tell whether it was."""
        if now < self.next_ns:
            return False
        leg = self.leg
        step = leg.ptime * 1_000_000
        quiet = self.carrier_ns + HOLD_OFF_NS if self.carrier_ns else 0
        if now < quiet or now - self.next_ns > step or leg.source is None or not leg.send:
            # Not yet, or not for a while (packets a stall has eaten are not made up for): begin in phase.
            self.next_ns = self._phase(max(quiet, now), step)
            return False
        self.next_ns += step
        samples = leg.ptime * RATE // 1000
        law = self.law if self.law is not None else first_law(leg)
        payload = self._voices_on(silence(samples, law), law, now)
        if payload is None:
            return False
        self._insert(samples, now)
        second = law | (0x80 if self.marked else 0)
        try:
            self._send(HEADER.pack(VERSION_2, second, self.seq, self.timestamp, self.ssrc) + payload, leg.source)
        except OSError:
            self.failed += 1
        self.packets += 1
        self.octets += samples
        self.generated += 1
        return True

    def _phase(self, earliest: int, step: int) -> int:
        """Return the first time from `earliest` on that lies in the rhythm of the supervisor's chunks."""
        first = self.fed_ns + HEAD_START_NS
        return first + max(0, -((first - earliest) // step)) * step

    def freeze(self) -> dict[str, int]:
        """Return what a later life of the process needs to go on with the same numbers."""
        return {
            "ssrc": self.ssrc,
            "seq": self.seq,
            "ts": self.timestamp,
            "seq_offset": self.seq_offset,
            "ts_offset": self.ts_offset,
            "sent_ns": self.last_ns,
        }

    def thaw(self, frozen: dict[str, int], now: int) -> None:
        """Go on with the numbers of an earlier life."""
        self.ssrc = frozen["ssrc"]
        self.seq_offset, self.ts_offset = frozen["seq_offset"], frozen["ts_offset"]
        self.seq, self.timestamp, self.carrier_ns = frozen["seq"], frozen["ts"], frozen["sent_ns"]
        if self.carrier_ns:
            # `seq` is from the last change of the offsets: stay ahead of what was sent since, should a new source come.
            passed = max(0, now - self.carrier_ns) // (self.leg.ptime * 1_000_000)
            self.seq = (self.seq + passed) & M16
            self.timestamp = (self.timestamp + passed * self.leg.ptime * RATE // 1000) & M32
            self.carrier_ns = now

    def hush(self, session: int) -> None:
        """Let nothing more of `session` be heard."""
        self._mixer.silence(session)

    def _finish(self, source: Leg, payload: bytes, now: int) -> None:
        """Make the packet in the buffer what this phone may hear: the last step before it is sent."""
        raise NotImplementedError

    def _voices_on(self, payload: bytes, law: Law, now: int) -> bytes | None:
        return self._mixer.blend(payload, law, now)

    def _blended(self, payload: bytes, now: int) -> bool:
        """Mix whoever speaks into the packet in the buffer; tell whether it was changed."""
        current = self._current
        law = LAWS.get(current.kind)
        if law is None:
            return False
        self.law = law
        mixed = self._mixer.blend(payload, law, now)
        if mixed is None:
            return False
        current.view[current.start : current.end] = mixed
        self.mixed += 1
        return True

    def _anchor(self, source: Leg, now: int) -> None:
        """Join a new source to our numbers: the next sequence number, and the time that has passed since the last."""
        source.renewed = False
        if self.last_ns:
            self.seq = (self.seq + 1) & M16
            self.timestamp = self._after(source.ptime * RATE // 1000, now)
        self.seq_offset = (self.seq - self._current.seq) & M16
        self.ts_offset = (self.timestamp - self._current.timestamp) & M32
        self._inserted, self._memory = False, 0

    @property
    def last_ns(self) -> int:
        """When the newest packet was sent; 0 before the first."""
        return max(self.carrier_ns, self.comfort_ns, self.generated_ns)

    def _after(self, frame: int, now: int) -> int:
        """Return the timestamp of a packet sent now: whole frames after the last one, at least one."""
        frames = round((now - self.last_ns) * RATE / 1e9 / frame)
        return (self.timestamp + max(1, frames) * frame) & M32

    def _insert(self, samples: int, now: int) -> None:
        self.marked = not self._inserted
        if not self._inserted:
            self._inserted = True
            self._memory = REMEMBERED
            self._old_offset = self.seq_offset
            self._boundary = (self.seq - self.seq_offset) & M16
            self._late = 0
        if self.last_ns:
            self.seq = (self.seq + 1) & M16
            self.timestamp = self._after(samples, now)
            self.seq_offset = (self.seq_offset + 1) & M16
        self.generated_ns = now

    def _rejoin(self, source: Leg, now: int) -> int:
        """Return the sequence offset for a packet of the carrier after packets of ours."""
        current = self._current
        self._memory -= self._memory > 0
        if not current.fresh:
            return self._old_offset if newer(current.seq, self._boundary) <= 0 else self.seq_offset
        if self._inserted:
            behind = -later(current.timestamp + self.ts_offset & M32, self.timestamp)
            self._late += 1
            if behind < 0:
                self._inserted = False
            elif behind > FAR_BEHIND or self._late > LATE:
                self.ts_offset = (self._after(source.ptime * RATE // 1000, now) - current.timestamp) & M32
                self._inserted = False
        return self.seq_offset


class AgentOutbound(Outbound):
    """The stream to an agent's phone: the one with an ear for supervisors."""

    __slots__ = ()

    def speak(self, audio: WhisperAudio | BargeAudio, now: int) -> None:
        """Let the agent hear `audio`."""
        self._mixer.put(audio.session, audio.linear, now)
        self.fed_ns = now

    def _finish(self, source: Leg, payload: bytes, now: int) -> None:
        if self._mixer.active:
            self._blended(payload, now)


class CustomerOutbound(Outbound):
    """The stream to a customer's phone: every packet has an origin, and passthrough is proven."""

    __slots__ = ("_alarm", "_told", "barging", "mismatches")

    def __init__(
        self,
        leg: Leg,
        current: Current,
        send: Send,
        entropy: Callable[[int], bytes],
        alarm: Callable[[Leg], None],
        told: Callable[[Leg, Origin, int, bool, int], None],
    ) -> None:
        super().__init__(leg, current, send, entropy)
        self._alarm = alarm
        self._told = told
        self.barging: int | None = None
        """The session whose barge interval is open."""
        self.mismatches = 0

    def speak(self, audio: BargeAudio, now: int) -> None:
        """Let the customer hear `audio`, which only a barge grant can have made."""
        assert type(audio) is BargeAudio
        self._mixer.put(audio.session, audio.linear, now)
        self.fed_ns = now

    def rest(self, now: int) -> None:
        """Close the barge interval when nobody speaks any more."""
        if self.barging is not None and not self._mixer.speaking(now):
            self._told(self.leg, Origin.BARGE, self.barging, False, now)
            self.barging = None

    def _finish(self, source: Leg, payload: bytes, now: int) -> None:
        if self._mixer.active and self._blended(payload, now):
            self._barged(now)
        else:
            self._prove(source, payload)

    def _voices_on(self, payload: bytes, law: Law, now: int) -> bytes | None:
        mixed = super()._voices_on(payload, law, now)
        if mixed is not None:
            self._barged(now)
        return mixed

    def _prove(self, source: Leg, payload: bytes) -> None:
        """Check the very bytes about to be sent; put the received ones back if they differ."""
        current = self._current
        going = bytes(current.view[current.start : current.end])
        if source.customer or current.proof.holds(source.id, current.timestamp, going):
            return
        self.mismatches += 1
        current.view[current.start : current.end] = payload
        self._alarm(source)

    def _barged(self, now: int) -> None:
        if self.barging is None:
            self.barging = self._mixer.speakers(now)[0]
            self._told(self.leg, Origin.BARGE, self.barging, True, now)
