"""The tap: what legs received, batched into frames of the link (sip_bridge/link/wire.py)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sip_bridge.link import wire
from sip_bridge.link.wire import PACKET_HEAD, TapRow, head, packet_head, row_record

from .leg import DTMF, LAST_LAW, Current, Kind, Leg

FAST_NS: Final = 2_000_000
"""Flush for legs somebody listens to: the wait it adds is below what can be noticed."""
SLOW_NS: Final = 20_000_000
"""Flush for all others: one packet time."""
FRAME_OCTETS: Final = 48 * 1024
"""A frame is cut at this size: a Unix socket takes some 200 KiB, a link message 1 MiB."""

FLAGS: Final[dict[int, int]] = {
    Kind.DTMF: wire.FLAG_DTMF,
    Kind.COMFORT_NOISE: wire.FLAG_COMFORT_NOISE,
}


class Batch:
    """Packet records that go out together."""

    def __init__(self, period_ns: int) -> None:
        self.period_ns = period_ns
        self.pieces: list[bytes] = []
        """Head and payload of each record in turn: joined once a frame, not once a packet."""
        self.octets = 0
        self.since_ns = 0


class Tap:
    """Collects records and hands out frames with numbered ticks."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.on = False
        self.fast = Batch(FAST_NS)
        self.slow = Batch(SLOW_NS)
        self.tick = 0
        """The tick of the newest frame."""
        self._frames: list[bytes] = []

    def packet(self, leg: Leg, current: Current, payload: bytes, now: int) -> None:
        """Record the packet `leg` has just received."""
        kind = current.kind
        flags = 0
        if kind > LAST_LAW:
            flags = FLAGS[kind]
            if kind == DTMF and payload:
                payload = b"\0" + payload[1:]  # RFC 4733, 2.3: the first octet is the digit
        batch = self.fast if leg.listened else self.slow
        pieces = batch.pieces
        if not pieces:
            batch.since_ns = now
        length = len(payload)
        pieces.append(packet_head(leg.id, current.seq, current.second, flags, current.timestamp, now // 1000, length))
        pieces.append(payload)
        batch.octets += PACKET_HEAD + length
        if batch.octets > FRAME_OCTETS:
            self._cut(batch)

    def rows(self, rows: Iterable[TapRow]) -> None:
        """Make a frame of leg rows."""
        records = [row_record(row) for row in rows]
        if self.on and records:
            self._frames.append(self._head(wire.ROWS, len(records)) + b"".join(records))

    def flush(self, now: int) -> list[bytes]:
        """Return the frames that are due."""
        for batch in (self.fast, self.slow):
            if batch.pieces and now - batch.since_ns >= batch.period_ns:
                self._cut(batch)
        frames = self._frames
        if frames:
            self._frames = []
        return frames

    def cut(self) -> None:
        """Frame what was collected: the packets of a leg that changes its batch must not overtake each other."""
        for batch in (self.fast, self.slow):
            if batch.pieces:
                self._cut(batch)

    def _cut(self, batch: Batch) -> None:
        pieces = batch.pieces
        self._frames.append(b"".join((self._head(wire.PACKETS, len(pieces) // 2), *pieces)))
        pieces.clear()
        batch.octets = 0

    def _head(self, kind: int, count: int) -> bytes:
        previous, self.tick = self.tick, self.tick + 1
        return head(kind, count, self.epoch, self.tick, previous)
