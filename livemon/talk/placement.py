"""Packets of all legs placed by timestamp into rings of 20 ms slots, read with a fixed delay.

Reordering, loss, any packet time from 10 to 60 ms, silence suppression, comfort noise and changes of the source's
timestamps (a new SSRC, a frozen clock) end here: the reader sees one slot per leg every 20 ms, with sound or without.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from livemon.talk import codec
from livemon.talk.clockmap import SAMPLE_US, ClockMap
from livemon.talk.columns import Columns, Flags, Micros, Rows
from sip_bridge.link.wire import TapPacket

SLOT: Final = 160
"""Samples of 20 ms."""
SLOTS: Final = 64
"""1.28 s: more than any network reorders, and what a packet may be ahead of the reader."""
SLOT_US: Final = SLOT * SAMPLE_US
DELAY_US: Final = 60_000
"""How long the reader waits for late packets; 60 ms covers a 60 ms packet time and ordinary jitter."""
JUMP_US: Final = 500_000
"""A timestamp this far from its arrival, and not explained by the sequence, is a new time line (SSRC change)."""
LATE_US: Final = 200_000
"""When every packet for so long came too late to be read, the path or the sender's clock moved: anchor anew."""
GAP: Final = 2400
"""0.3 s in samples: a shorter gap can hide no word that the pause filling would not bridge."""

NO_GAP: Final = 0
OPEN_GAP: Final = 1
Int = NDArray[np.int64]


class Batch:
    """Packets as columns, at most one of each row; `sizes` are the numbers of samples in the payloads."""

    __slots__ = ("arrivals", "kinds", "marked", "payloads", "rows", "seqs", "sizes", "stamps")

    def __init__(self, rows: Int, kinds: Int, packets: Sequence[TapPacket]) -> None:
        self.rows, self.kinds = rows, kinds
        _, seqs, _, markers, _, stamps, arrivals, payloads = zip(*packets, strict=True)
        self.seqs = np.array(seqs, np.int64)
        self.marked = np.array(markers, np.bool_)
        self.stamps = np.array(stamps, np.int64)
        self.arrivals = np.array(arrivals, np.int64)
        self.payloads: tuple[bytes, ...] = payloads
        octets = np.array(list(map(len, payloads)), np.int64)
        linear = kinds == codec.L16
        self.sizes = np.where(linear, octets >> 1, octets)
        # No sound: events, comfort noise, unknown codecs, and linear samples with an octet missing.
        self.sizes[(kinds > codec.L16) | (linear & (octets & 1 == 1))] = 0

    def one(self, at: int) -> Batch:
        """Return the batch of the packet at index `at` alone."""
        single = object.__new__(Batch)
        for name in self.__slots__:
            setattr(single, name, getattr(self, name)[at : at + 1])
        return single


class Placement(Columns):
    """Columns of one row per leg: its ring, its reader, its sequence and its gap."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.clock = ClockMap(rows)
        self.ring = self._column("ring", np.int16, 0, SLOTS, SLOT)
        self._fill = self._column("_fill", np.int16, 0, SLOTS)
        self.next = self._column("next", np.int64, 0)
        self.started: Flags = self._column("started", np.bool_, False)
        self.dtx: Flags = self._column("dtx", np.bool_, False)
        self._base = self._column("_base", np.int64, 0)
        self._last = self._column("_last", np.int64, 0)
        self._end = self._column("_end", np.int64, 0)
        self._seq = self._column("_seq", np.int64, 0)
        self._first_seq = self._column("_first_seq", np.int64, 0)
        self._seen = self._column("_seen", np.int64, 0)
        self._late_since = self._column("_late_since", np.int64, -1)
        self._gap = self._column("_gap", np.int8, NO_GAP)
        self.late = 0
        self.jumps = 0
        self.begun: list[int] = []
        """Rows whose first packet came, for the owner to take."""
        self.gaps: list[tuple[int, int, int | None, bool]] = []
        """(row, start us, end us or None while it lasts, network) of gaps over 0.3 s, in the order they were seen."""

    def grow(self, rows: int) -> None:
        """Make room for `rows` rows."""
        super().grow(rows)
        self.clock.grow(rows)

    def blank(self, row: int) -> None:
        """Forget the leg in `row`."""
        super().blank(row)
        self.clock.blank(row)

    def loss(self, row: int) -> tuple[int, int]:
        """Return (packets expected, packets lost) of `row` by its sequence numbers."""
        if not self.started[row]:
            return 0, 0
        expected = int(self._seq[row] - self._first_seq[row]) + 1
        return expected, max(expected - int(self._seen[row]), 0)

    def time_of(self, rows: Rows, positions: Int) -> Micros:
        """Return when the samples at `positions` were spoken (us)."""
        return (self.clock.offset[rows] + positions * SAMPLE_US).astype(np.int64)

    # -- writing ---------------------------------------------------------------------------------------------------

    def write(self, batch: Batch) -> None:
        """Place a batch of packets."""
        rows = batch.rows
        for at in np.flatnonzero(~self.started[rows]).tolist():
            self._begin(batch, at)
        seq_step, ahead = self._compare(batch, rows)
        expected = self._expected(batch, rows)
        wild = np.abs(self._last[rows] + ahead - expected) * SAMPLE_US > JUMP_US
        timed = batch.kinds != codec.EVENT
        if (wild & timed).any():
            self._one_by_one(batch)
            return
        self._place(batch, rows, seq_step, np.where(timed, self._last[rows] + ahead, expected))

    def _compare(self, batch: Batch, rows: Rows) -> tuple[Int, Int]:
        # RFC 3550, 5.1: both counters wrap; the nearest value in either direction is meant.
        seq_step = ((batch.seqs - self._seq[rows] + 0x8000) & 0xFFFF) - 0x8000
        stamp = self._last[rows] - self._base[rows]
        return seq_step, ((batch.stamps - stamp + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)

    def _expected(self, batch: Batch, rows: Rows) -> Int:
        ends = (batch.arrivals - self.clock.offset[rows]) / SAMPLE_US
        return np.rint(ends).astype(np.int64) - batch.sizes

    def _begin(self, batch: Batch, at: int) -> None:
        row = int(batch.rows[at])
        self.started[row] = True
        self.begun.append(row)
        self.clock.begin(row, float(batch.arrivals[at] - batch.sizes[at] * SAMPLE_US))
        self._anchor(batch, at, 0)
        self._seq[row] = int(batch.seqs[at]) - 1
        self._first_seq[row] = int(batch.seqs[at])

    def _anchor(self, batch: Batch, at: int, position: int) -> None:
        row = int(batch.rows[at])
        self._base[row] = position - int(batch.stamps[at])
        self._last[row] = position
        self._late_since[row] = -1

    def _one_by_one(self, batch: Batch) -> None:
        """Place packets of which some jump; rare, so each alone."""
        for at in range(len(batch.rows)):
            single = batch.one(at)
            rows = single.rows
            seq_step, ahead = self._compare(single, rows)
            expected = self._expected(single, rows)
            position = self._last[rows] + ahead
            if single.kinds[0] == codec.EVENT:
                position = expected
            elif abs(int(position[0] - expected[0])) * SAMPLE_US > JUMP_US and not _steady(
                int(seq_step[0]), int(ahead[0])
            ):
                position = self._move(single, int(expected[0]))
                seq_step = self._restart_sequence(int(rows[0]), int(single.seqs[0]))
            self._place(single, rows, seq_step, position)

    def _move(self, single: Batch, expected: int) -> Int:
        """Anchor a leg anew where its packet arrived, rounded up so that its packets fill whole slots."""
        self.jumps += 1
        position = -(-expected // SLOT) * SLOT
        self._anchor(single, 0, position)
        self.clock.forget(int(single.rows[0]))
        return np.array([position])

    def _restart_sequence(self, row: int, seq: int) -> Int:
        # A new source counts anew: what went before it is neither lost nor received twice.
        _, lost = self.loss(row)
        self._seq[row] = seq - 1
        self._first_seq[row] = seq - lost
        self._seen[row] = 0
        return np.ones(1, np.int64)

    def _place(self, batch: Batch, rows: Rows, seq_step: Int, positions: Int) -> None:
        ends = positions + batch.sizes
        timed = batch.kinds != codec.EVENT
        self._gaps(batch, rows, seq_step, positions)
        self._count(batch, rows, seq_step, positions, ends)
        self.clock.note(rows[timed], ends[timed], batch.arrivals[timed])
        window = self.next[rows] * SLOT
        sounding = batch.sizes > 0
        late = (ends <= window) & sounding
        if late.any():
            self._too_late(batch, np.flatnonzero(late))
        self._late_since[rows[~late & timed]] = -1
        ok = ~late & (ends <= window + SLOTS * SLOT) & sounding
        for kind in (codec.PCMU, codec.PCMA, codec.L16):
            mine = ok & (batch.kinds == kind)
            if mine.any():
                self._store(kind, batch, np.flatnonzero(mine), positions)

    def _gaps(self, batch: Batch, rows: Rows, seq_step: Int, positions: Int) -> None:
        gap = positions - self._end[rows]
        # A marker after a pause without a hole, or comfort noise: the phone suppresses silence (RFC 3551, 4.1).
        resumed = batch.marked & (seq_step == 1) & (gap > SLOT)
        self.dtx[rows[(batch.kinds == codec.COMFORT_NOISE) | resumed]] = True
        filled = (batch.kinds != codec.COMFORT_NOISE) & (batch.kinds != codec.OTHER)
        ended = filled & ((gap >= GAP) | ((self._gap[rows] == OPEN_GAP) & (gap >= 0)))
        for at in np.flatnonzero(ended).tolist():
            self._end_gap(int(rows[at]), int(positions[at]), int(seq_step[at]), max(int(batch.sizes[at]), SLOT))

    def _end_gap(self, row: int, position: int, seq_step: int, size: int) -> None:
        start = int(self._end[row])
        self._gap[row] = NO_GAP
        # A hole hides at most (step - 1) packets; a lost comfort-noise packet does not explain a long pause.
        network = (seq_step - 1) * size * 2 >= position - start
        times = self.time_of(np.array([row, row]), np.array([start, position]))
        self.gaps.append((row, int(times[0]), int(times[1]), network))

    def _count(self, batch: Batch, rows: Rows, seq_step: Int, positions: Int, ends: Int) -> None:
        event = batch.kinds == codec.EVENT
        self._last[rows] = np.maximum(self._last[rows], np.where(event, self._last[rows], positions))
        self._end[rows] = np.maximum(self._end[rows], np.where((batch.sizes > 0) | event, ends, 0))
        self._seq[rows] += np.maximum(seq_step, 0)
        self._seen[rows] += 1

    def _too_late(self, batch: Batch, which: Int) -> None:
        self.late += len(which)
        for at in which.tolist():
            row, arrival = int(batch.rows[at]), int(batch.arrivals[at])
            since = int(self._late_since[row])
            if since < 0:
                self._late_since[row] = arrival
            elif arrival - since >= LATE_US:
                single = batch.one(at)
                self._move(single, int(self._expected(single, single.rows)[0]))

    def _store(self, kind: int, batch: Batch, which: Int, positions: Int) -> None:
        payloads = batch.payloads
        if len(which) != len(payloads):
            payloads = tuple([payloads[i] for i in which.tolist()])
        samples = codec.decode(kind, b"".join(payloads))
        sizes, rows, places = batch.sizes[which], batch.rows[which], positions[which]
        if (sizes == SLOT).all() and not (places % SLOT).any():
            slots = (places // SLOT) % SLOTS
            self.ring[rows, slots] = samples.reshape(-1, SLOT)
            self._fill[rows, slots] = SLOT
            return
        self._store_unaligned(rows, places, sizes, samples)

    def _store_unaligned(self, rows: Rows, places: Int, sizes: Int, samples: NDArray[np.int16]) -> None:
        first = np.cumsum(sizes) - sizes
        inside = np.arange(len(samples)) - np.repeat(first, sizes)
        owner = np.repeat(rows, sizes)
        position = np.repeat(places, sizes) + inside
        fresh = position >= self.next[owner] * SLOT
        owner, position = owner[fresh], position[fresh] % (SLOTS * SLOT)
        self.ring.reshape(-1)[owner * (SLOTS * SLOT) + position] = samples[fresh]
        fill = self._fill.reshape(-1)
        np.add.at(fill, owner * SLOTS + position // SLOT, np.int16(1))

    # -- reading ---------------------------------------------------------------------------------------------------

    def due(self, now_us: int) -> Rows:
        """Return the rows whose next slot ended DELAY_US ago."""
        ends = self.clock.offset + (self.next + 1) * float(SLOT_US)
        return np.flatnonzero(self.started & (ends <= now_us - DELAY_US))

    def read(self, rows: Rows) -> tuple[NDArray[np.int16], Flags, Micros]:
        """Take one slot of each of `rows`: samples (n, 160), whether they hold sound, and their start (us)."""
        slots = self.next[rows]
        starts = self.time_of(rows, slots * SLOT)
        places = slots % SLOTS
        frames = self.ring[rows, places]
        present = self._fill[rows, places] * 2 >= SLOT
        self.ring[rows, places] = 0
        self._fill[rows, places] = 0
        self.next[rows] = slots + 1
        self._open_gaps(rows, (slots + 1) * SLOT)
        return frames, present, starts

    def _open_gaps(self, rows: Rows, read_to: Int) -> None:
        for row in rows[(read_to - self._end[rows] >= GAP) & (self._gap[rows] == NO_GAP)].tolist():
            self._gap[row] = OPEN_GAP
            self.gaps.append((row, int(self.time_of(np.array([row]), self._end[row : row + 1])[0]), None, False))


def _steady(seq_step: int, ahead: int) -> bool:
    """Say whether sequence and timestamp moved together by packets of 10 to 60 ms: the stream itself is whole."""
    return abs(seq_step) < 3000 and 80 * abs(seq_step) <= abs(ahead) <= 480 * abs(seq_step) and seq_step * ahead >= 0
