"""The legs of one engine as rows: packets in, one 20 ms slot of every leg out, judged for speech.

Everything here is columnar: a step costs a few numpy calls for all legs, and the speech detector for the loud ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from livemon.talk import codec, levels
from livemon.talk.columns import Flags, Rows
from livemon.talk.levels import Levels
from livemon.talk.placement import DELAY_US, SLOT_US, Batch, Placement
from livemon.talk.spurts import SpurtChanges, SpurtFinder
from livemon.talk.vad import Detector
from sip_bridge.link.wire import FLAG_COMFORT_NOISE, FLAG_DTMF, FLAG_GENERATED, TapPacket

FIRST_ROWS: Final = 16


class LegBank:
    """Rows of legs with their rings, levels, detectors and spurts."""

    def __init__(self) -> None:
        self.row_of: dict[int, int] = {}
        self.leg_at: dict[int, int] = {}
        self.placement = Placement(FIRST_ROWS)
        self.levels = Levels(FIRST_ROWS)
        self.spurts = SpurtFinder(FIRST_ROWS)
        self.detector = Detector(FIRST_ROWS)
        self.audible: Flags = np.zeros(FIRST_ROWS, np.bool_)
        self._kinds = np.zeros((FIRST_ROWS, 128), np.int64)
        self._rows = FIRST_ROWS
        self._free = list(range(FIRST_ROWS - 1, -1, -1))

    def add(self, leg: int) -> int:
        """Return the row of `leg`, taking a free one if it has none."""
        row = self.row_of.get(leg)
        if row is None:
            if not self._free:
                self._grow()
            row = self._free.pop()
            self.row_of[leg] = row
            self.leg_at[row] = leg
        return row

    def codecs(self, row: int, codecs: Mapping[int, str]) -> None:
        """Set what the payload types of `row` mean."""
        self._kinds[row] = codec.NONE
        for payload_type, name in codecs.items():
            self._kinds[row, payload_type & 127] = codec.kind_of(name)

    def remove(self, leg: int) -> None:
        """Give the row of `leg` back."""
        row = self.row_of.pop(leg)
        del self.leg_at[row]
        for part in (self.placement, self.levels, self.spurts, self.detector):
            part.blank(row)
        self.audible[row] = False
        self._free.append(row)

    def _grow(self) -> None:
        rows = self._rows * 2
        self._free.extend(range(rows - 1, self._rows - 1, -1))
        self._kinds = np.vstack([self._kinds, np.zeros((self._rows, 128), np.int64)])
        self.audible = np.concatenate([self.audible, np.zeros(self._rows, np.bool_)])
        for part in (self.placement, self.levels, self.spurts, self.detector):
            part.grow(rows)
        self._rows = rows

    def write(self, packets: list[TapPacket]) -> int:
        """Place packets in their order; returns how many belonged to no known leg."""
        row_of = self.row_of
        rows = [row_of.get(packet[0], -1) for packet in packets]
        unknown = 0
        if -1 in rows:
            unknown = rows.count(-1)
            packets = [packet for packet, row in zip(packets, rows, strict=True) if row >= 0]
            rows = [row for row in rows if row >= 0]
        for start, end in rounds(rows):
            self._write(packets[start:end], rows[start:end])
        return unknown

    def _write(self, packets: list[TapPacket], rows: list[int]) -> None:
        at = np.array(rows, np.int64)
        kinds = self._kinds[at, np.array([packet[2] for packet in packets], np.int64)]
        flags = np.array([packet[4] for packet in packets], np.int64)
        if flags.any():
            kinds = np.where(flags & FLAG_DTMF, codec.EVENT, kinds)
            kinds = np.where(flags & FLAG_COMFORT_NOISE, codec.COMFORT_NOISE, kinds)
            kinds = np.where(flags & FLAG_GENERATED, codec.NONE, kinds)
        if kinds.all():
            self.placement.write(Batch(at, kinds, packets))
        elif kinds.any():  # an unknown payload type, or made by the bridge: nothing the party sent
            keep = np.flatnonzero(kinds)
            self.placement.write(Batch(at[keep], kinds[keep], [packets[i] for i in keep.tolist()]))

    def due(self, now_us: int) -> Rows:
        """Return the rows whose next slot can be read."""
        return self.placement.due(now_us)

    def read(self, rows: Rows) -> SpurtChanges:
        """Read one slot of each of `rows` and return what it changed."""
        frames, present, starts = self.placement.read(rows)
        speech = np.zeros(len(rows), np.bool_)
        heard = np.flatnonzero(present & self.audible[rows])
        if len(heard):
            sounding = frames if len(heard) == len(rows) else frames[heard]
            mine = rows[heard]
            level = levels.dbfs(sounding)
            voiced = self.detector.voiced(mine, sounding, self.levels.gate(mine, level))
            speech[heard] = self.levels.judge(mine, level, voiced)
        self.levels.last[rows[~present]] = levels.SILENT
        return self.spurts.step(rows, starts, speech)

    def read_to(self, row: int, now_us: int) -> int:
        """Return up to when `row` has been read (us); a leg that never sent has been read as far as it could be."""
        if not self.placement.started[row]:
            return now_us - DELAY_US
        return int(self.placement.clock.offset[row]) + int(self.placement.next[row]) * SLOT_US

    def speaking(self, row: int) -> bool:
        """Say whether the leg speaks at this moment, as far as it has been read."""
        return bool(self.spurts.open[row]) and not self.spurts.paused[row]


def rounds(rows: list[int]) -> list[tuple[int, int]]:
    """Cut a list of rows into runs without repetition, in order."""
    if len(set(rows)) == len(rows):
        return [(0, len(rows))] if rows else []
    out: list[tuple[int, int]] = []
    seen: set[int] = set()
    start = 0
    for at, row in enumerate(rows):
        if row in seen:
            out.append((start, at))
            start = at
            seen.clear()
        seen.add(row)
    out.append((start, len(rows)))
    return out
