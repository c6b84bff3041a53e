"""What one phone sends us: whose packets are taken, how they are counted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from . import rtcp
from .commands import Address, Open, Set
from .g711 import Law
from .proof import ProofTable
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


LAWS: Final[Mapping[int, Law]] = {Kind.PCMU: Law.PCMU, Kind.PCMA: Law.PCMA}

WINDOW: Final = 5
"""Packets in which a source may be learned (rtpengine's heuristic mode needs as many)."""
MAJORITY: Final = 3
"""Of these, so many from one source make it the phone's."""
LEAST_CAP: Final = 100
"""Packets a second any stream may have: twice the usual 50, room for doubled DTMF packets and bursts that catch up."""
BURST_NS: Final = 1_000_000_000
"""A second's worth may come at once: what waits in the socket while the relay is started again."""
MAX_DROPOUT: Final = 3000
"""A larger step in sequence numbers is a restarted source, not loss (RFC 3550, A.1)."""
MAX_MISORDER: Final = 100
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


class Leg:
    """The receiving half of one phone's media.

    `receive` is the first code that sees a packet. It leaves the header of the last packet it took in `second`, `seq`,
    `timestamp`, `start`, `end`, `size` for the sending half: no object is made per packet but the payload itself.
    """

    __slots__ = (
        "_buffer",
        "_due",
        "_highest",
        "_interval",
        "_left",
        "_sample_ns",
        "_seen",
        "_transit",
        "_view",
        "codecs",
        "customer",
        "dropped",
        "end",
        "expected",
        "fresh",
        "held",
        "highest_cycles",
        "id",
        "jitter",
        "kind",
        "kinds",
        "last_digit",
        "last_ns",
        "learn",
        "learned",
        "listened",
        "octets",
        "packets",
        "peer",
        "port",
        "proof",
        "ptime",
        "recv",
        "remote",
        "renewed",
        "reordered",
        "resumed",
        "rtcp",
        "second",
        "segment",
        "send",
        "seq",
        "silent_s",
        "size",
        "source",
        "ssrc",
        "start",
        "timestamp",
        "two_lines",
        "unsaid",
    )  # fmt: skip

    def __init__(self, opened: Open, buffer: bytearray) -> None:
        self.id = opened.leg
        self.port = opened.port
        self.customer = opened.customer
        self.peer = opened.peer
        self.segment = opened.segment
        self._buffer = buffer
        self._view = memoryview(buffer)
        # What an agent's phone sends goes to a customer, and is proven there.
        self.proof = None if opened.customer else ProofTable()
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
        self.fresh = False
        """The packet is newer than all before it, not late or a copy."""
        self._highest = 0
        self.highest_cycles = 0
        self.kind: int = Kind.OTHER
        self.second = self.seq = self.timestamp = self.start = self.end = self.size = 0
        self.packets = self.octets = self.expected = self.reordered = 0
        self.dropped = [0] * len(Dropped)
        self.jitter = 0
        """Interarrival jitter in timestamp units, times 16 (RFC 3550, A.8)."""
        self._transit = 0
        self._sample_ns = 125_000
        self._interval = 1_000_000_000 // LEAST_CAP
        self._due = 0
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
        self._interval = 1_000_000_000 // max(LEAST_CAP, 2 * (1000 // command.ptime))
        self.rtcp = command.rtcp
        if command.remote != self.remote or command.learn != self.learn:
            self.remote = self.source = command.remote
            self.learn, self.learned = command.learn, False
            self._left = WINDOW if command.learn else 0
            self._seen = {}

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
    def highest(self) -> int:
        """Extended highest sequence number (RFC 3550, 6.4.1)."""
        return self.highest_cycles << 16 | self._highest

    def receive(self, size: int, source: Address, now: int) -> bytes | Dropped:
        """Take the packet of `size` octets in the buffer, come from `source` at `now` ns; return its payload."""
        if source != self.source and not self._learn(size, source):
            self.dropped[Dropped.FOREIGN] += 1
            return Dropped.FOREIGN
        first, second, seq, timestamp, ssrc = HEADER.unpack_from(self._buffer)
        if first == VERSION_2 and HEADER_SIZE <= size <= MAX_PACKET:
            self.start, self.end = HEADER_SIZE, size
        else:
            where = bounds(self._buffer, size)
            if isinstance(where, BadRtp):
                self.dropped[Dropped.MALFORMED] += 1
                return Dropped.MALFORMED
            self.start, self.end = where
        if self._left:
            self._left = 0  # the signalled address speaks: nothing is left to learn
        payload = bytes(self._view[self.start : self.end])
        if self.proof is not None:
            self.proof.note(timestamp, payload)
        if rtcp.MUX_FIRST <= second <= rtcp.MUX_LAST:
            return Dropped.RTCP
        # Generic cell rate algorithm: `_due` runs ahead of now by what was sent too early.
        due = self._due
        if due - now > BURST_NS:
            self.dropped[Dropped.CAPPED] += 1
            return Dropped.CAPPED
        self._due = (due if due > now else now) + self._interval
        self.second, self.seq, self.timestamp, self.size = second, seq, timestamp, size
        self.kind = self.kinds[second & 0x7F]
        self._count(seq, timestamp, ssrc, now)
        return payload

    def _count(self, seq: int, timestamp: int, ssrc: int, now: int) -> None:
        self.packets += 1
        self.octets += self.end - self.start
        self.last_ns = now
        transit = now // self._sample_ns - timestamp
        if ssrc == self.ssrc:
            if seq == (self._highest + 1) & M16:
                self.fresh = True
                self.expected += 1
                self._highest = seq
                if not seq:
                    self.highest_cycles += 1
            else:
                self._step(seq)
            moved = transit - self._transit
            if -MAX_DROPOUT * 160 < moved < MAX_DROPOUT * 160:
                self.jitter += (moved if moved >= 0 else -moved) - (self.jitter + 8 >> 4)
        else:
            self._renew(seq, ssrc)
        self._transit = transit

    def _step(self, seq: int) -> None:
        """Count a packet that is not the next one."""
        ahead = newer(seq, self._highest)
        self.fresh = ahead > 0 or ahead < -MAX_MISORDER
        if not self.fresh:
            self.reordered += 1
            return
        # RFC 3550, A.1: a very large step is a source that began anew, its distance is no loss.
        self.expected += ahead if 0 < ahead < MAX_DROPOUT else 1
        if seq < self._highest:
            self.highest_cycles += 1
        self._highest = seq

    def _renew(self, seq: int, ssrc: int) -> None:
        self.ssrc = ssrc
        self.fresh = True
        self.renewed = self.renewed or ssrc != self.resumed
        self.resumed = None
        self.expected += 1
        self._highest = seq

    def _learn(self, size: int, source: Address) -> bool:
        """Count a packet of the learning window and tell whether it may pass."""
        if not self._left or isinstance(bounds(self._buffer, size), BadRtp):
            return False
        self._left -= 1
        seen = self._seen[source] = self._seen.get(source, 0) + 1
        if seen < MAJORITY:
            return False
        self.learned_at(source)
        self.unsaid = True
        return True
