"""What one phone sends us: whose packets are taken, how they are counted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from .commands import Address, Open, Set
from .g711 import Law
from .proof import ProofTable
from .rtcp import MUX_FIRST, MUX_LAST
from .rtp import HEADER, HEADER_SIZE, M16, MAX_PACKET, VERSION_2, BadRtp, bounds, newer


class Dropped(IntEnum):
    """Why a packet was not taken."""

    FOREIGN = 0
    MALFORMED = 1
    CAPPED = 2
    RTCP = 3
    """Not dropped but handed to the RTCP side: it came on the RTP port (RFC 5761)."""


class Kind(IntEnum):
    """What a payload type means to the relay."""

    OTHER = 0
    PCMU = 1
    PCMA = 2
    DTMF = 3
    COMFORT_NOISE = 4


DTMF: Final = int(Kind.DTMF)
COMFORT_NOISE: Final = int(Kind.COMFORT_NOISE)
LAST_LAW: Final = int(Kind.PCMA)
"""For the packet path: a plain number is compared several times as fast as a member of an enumeration."""

LAWS: Final[Mapping[int, Law]] = {Kind.PCMU: Law.PCMU, Kind.PCMA: Law.PCMA}

WINDOW: Final = 5
"""Packets in which a source may be learned (rtpengine's heuristic mode needs as many)."""
MAJORITY: Final = 3
"""Of these, so many from one source make it the phone's."""
LEAST_CAP: Final = 100
"""Packets a second any stream may have: twice the usual 50, room for doubled DTMF packets and bursts that catch up."""
MAX_DROPOUT: Final = 3000
"""A larger step in sequence numbers is a restarted source, not loss (RFC 3550, A.1)."""
MAX_MISORDER: Final = 100
LONGEST_MOVE: Final = 480_000
"""Units of transit time (10 s at 48 kHz) above which a clock was set, and is no jitter."""
_NAMES: Final = {
    "pcmu": Kind.PCMU,
    "pcma": Kind.PCMA,
    "telephone-event": Kind.DTMF,
    "cn": Kind.COMFORT_NOISE,
}
_STATIC: Final = {0: Kind.PCMU, 8: Kind.PCMA, 13: Kind.COMFORT_NOISE}
"""Payload types that mean the same in every session (RFC 3551, table 4)."""


def kinds(codecs: Mapping[int, str]) -> bytes:
    """Return the `Kind` of each of the 128 payload types; `codecs` wins over the static assignments."""
    table = bytearray(128)
    for number, kind in _STATIC.items():
        table[number] = kind
    for number, name in codecs.items():
        table[number] = _NAMES.get(name.split("/")[0].lower(), Kind.OTHER)
    return bytes(table)


def clock_rate(codecs: Mapping[int, str]) -> int:
    """Return the RTP clock in Hz of the first audio codec; 8000 where the name states none (G.722 too: RFC 3551)."""
    for name in codecs.values():
        parts = name.split("/")
        if parts[0].lower() not in ("telephone-event", "cn"):
            stated = parts[1] if len(parts) > 1 else ""
            return (
                int(stated) if stated.isdigit() and int(stated) > 0 else 48000 if parts[0].lower() == "opus" else 8000
            )
    return 8000


class Current:
    """The packet under way, one for the whole relay: it stays in the processor's cache, legs do not."""

    __slots__ = ("buffer", "end", "fresh", "kind", "proof", "second", "seq", "size", "start", "timestamp", "view")

    def __init__(self) -> None:
        self.buffer = bytearray(2048)
        """One socket read fills it; `start`, `end` and `size` say how far."""
        self.view = memoryview(self.buffer)
        self.proof = ProofTable()
        self.second = self.seq = self.timestamp = self.start = self.end = self.size = 0
        """The header as it was received; `second` is marker and payload type."""
        self.kind: int = Kind.OTHER
        self.fresh = False
        """The packet is newer than all before it, not late or a copy."""


class Leg:
    """The receiving half of one phone's media.

    `receive` is the first code that sees a packet. It leaves the header in the `Current` it was given: no object is
    made per packet but the payload itself, and few of the leg's own are written.
    """

    # What every packet touches comes first: with thousands of legs, each cache line counts.
    __slots__ = (  # noqa: RUF023
        "source", "id", "_current", "_proven", "kinds", "credit", "ssrc", "highest", "packets", "last_ns", "_sample_ns",
        "_transit", "jitter", "kind", "send", "renewed", "listened", "_left", "cap", "_base", "_seen", "codecs",
        "customer", "dropped", "held", "last_digit", "learn", "learned", "peer", "port", "ptime", "recv", "remote",
        "reordered", "resumed", "rtcp", "segment", "silent_s", "two_lines", "unsaid",
    )  # fmt: skip

    def __init__(self, opened: Open, current: Current) -> None:
        self.id = opened.leg
        self.port = opened.port
        self.customer = opened.customer
        self.peer = opened.peer
        self.segment = opened.segment
        self._current = current
        # What an agent's phone sends goes to a customer, and is proven there.
        self._proven = not opened.customer
        self.codecs: Mapping[int, str] = {}
        self.kinds = kinds({})
        self.ptime = 20
        self.learn = self.learned = self.send = self.recv = self.held = self.two_lines = self.listened = False
        self.remote: Address | None = None
        """Where signalling says the phone is."""
        self.source: Address | None = None
        """Where packets must come from: `remote`, or what was learned."""
        self.rtcp: Address | None = None
        self.unsaid = False
        """A source was learned, and nobody has been told yet."""
        self._left = 0
        self._seen: dict[Address, int] = {}
        self.ssrc: int | None = None
        self.resumed: int | None = None
        """The SSRC in an earlier life of the process: it is no new source."""
        self.renewed = True
        """The source is a new one since the sending half last looked."""
        self.highest = 0
        """Extended highest sequence number (RFC 3550, 6.4.1)."""
        self._base = 0
        """What `highest` would be if no packet were ever due."""
        self.kind: int = Kind.OTHER
        self.packets = self.reordered = 0
        self.dropped = [0] * len(Dropped)
        self.jitter = 0
        """Interarrival jitter in timestamp units, times 16 (RFC 3550, A.8)."""
        self._transit = 0
        self._sample_ns = 125_000
        self.cap = LEAST_CAP
        """Packets a second."""
        self.credit = 2 * LEAST_CAP
        """Packets that may still come before `refill`."""
        self.last_ns = 0
        self.silent_s = 0
        self.last_digit = -1

    def set(self, command: Set) -> None:
        """Take over what signalling says; a new remote address ends what was learned and opens a new window."""
        self.codecs = dict(command.codecs)
        self.kinds = kinds(command.codecs)
        self.ptime = command.ptime
        self.send, self.recv, self.held = command.send, command.recv, command.held
        self.two_lines = command.two_lines
        self._sample_ns = 1_000_000_000 // clock_rate(command.codecs)
        # Twice the negotiated rate: a phone may send a digit beside its audio.
        self.cap = max(LEAST_CAP, 2 * (1000 // command.ptime))
        self.rtcp = command.rtcp
        if command.remote != self.remote or command.learn != self.learn:
            self.remote = self.source = command.remote
            self.learn, self.learned = command.learn, False
            self._left = WINDOW if command.learn else 0
            self._seen = {}
            self.ssrc = None if self._left else self.ssrc

    def learned_at(self, source: Address) -> None:
        """Lock to a source that was learned in an earlier life of the process."""
        self.source, self.learned, self._left = source, True, 0

    @property
    def window_open(self) -> bool:
        """Whether a source may still be learned."""
        return self._left > 0

    @property
    def rtcp_source(self) -> Address | None:
        """Where RTCP comes from and goes to: as signalled, or the port after RTP's (RFC 3550, 11)."""
        if self.source is None or (self.rtcp is not None and not self.learned):
            return self.rtcp
        host, port, *rest = self.source
        return (host, port + 1, *rest)

    @property
    def lost(self) -> int:
        """Packets that were sent to us and did not arrive."""
        return max(0, self.expected - self.packets)

    @property
    def jitter_tenth_ms(self) -> int:
        """Interarrival jitter in 0.1 ms."""
        return (self.jitter >> 4) * self._sample_ns // 100_000

    @property
    def expected(self) -> int:
        """Packets that should have come."""
        return self.highest - self._base

    def refill(self) -> None:
        """Let a second's worth of packets pass; called once a second. One more second's worth may be saved up."""
        self.credit = min(self.credit + self.cap, 2 * self.cap)

    def receive(self, size: int, source: Address, now: int) -> bytes | Dropped:
        """Take the packet of `size` octets in the buffer, come from `source` at `now` ns; return its payload."""
        current = self._current
        if source != self.source and not self._learn(size, source):
            self.dropped[Dropped.FOREIGN] += 1
            return Dropped.FOREIGN
        first, second, seq, timestamp, ssrc = HEADER.unpack_from(current.buffer)
        if first == VERSION_2 and HEADER_SIZE <= size <= MAX_PACKET:
            start, end = HEADER_SIZE, size
        else:
            where = bounds(current.buffer, size)
            if isinstance(where, BadRtp):
                self.dropped[Dropped.MALFORMED] += 1
                return Dropped.MALFORMED
            start, end = where
        payload = bytes(current.view[start:end])
        if self._proven:
            current.proof.note(self.id, timestamp, payload)
        if MUX_FIRST <= second <= MUX_LAST:
            return Dropped.RTCP
        if self.credit <= 0:
            self.dropped[Dropped.CAPPED] += 1
            return Dropped.CAPPED
        self.credit -= 1
        current.second, current.seq, current.timestamp = second, seq, timestamp
        current.start, current.end, current.size = start, end, size
        current.kind = self.kind = self.kinds[second & 0x7F]
        self.packets += 1
        self.last_ns = now
        transit = now // self._sample_ns - timestamp
        if ssrc == self.ssrc:
            highest = self.highest + 1
            if seq == highest & M16:
                current.fresh = True
                self.highest = highest
            else:
                current.fresh = self._step(seq)
            moved = transit - self._transit
            if -LONGEST_MOVE < moved < LONGEST_MOVE:
                jitter = self.jitter
                self.jitter = jitter + (moved if moved >= 0 else -moved) - (jitter + 8 >> 4)
        else:
            current.fresh = True
            self._renew(seq, ssrc)
        self._transit = transit
        return payload

    def _step(self, seq: int) -> bool:
        """Count a packet that is not the next one; tell whether it is newer than all before it."""
        ahead = newer(seq, self.highest & M16)
        if -MAX_MISORDER <= ahead <= 0:
            self.reordered += 1
            return False
        forward = (seq - self.highest) & M16
        self.highest += forward
        # RFC 3550, A.1: a very large step is a source that began anew, its distance is no loss.
        if not 0 < ahead < MAX_DROPOUT:
            self._base += forward - 1
        return True

    def _renew(self, seq: int, ssrc: int) -> None:
        self._left = 0  # the source speaks: nothing is left to learn
        self.ssrc = ssrc
        self.renewed = self.renewed or ssrc != self.resumed
        self.resumed = None
        expected = self.expected + 1
        self.highest = seq
        self._base = seq - expected

    def _learn(self, size: int, source: Address) -> bool:
        """Count a packet of the learning window and tell whether it may pass."""
        if not self._left or isinstance(bounds(self._current.buffer, size), BadRtp):
            return False
        self._left -= 1
        seen = self._seen[source] = self._seen.get(source, 0) + 1
        if seen < MAJORITY:
            return False
        self.learned_at(source)
        self.unsaid = True
        return True
