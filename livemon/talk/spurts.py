"""From speech frames to talk spurts, for all legs at once.

A burst counts when at least 3 of 5 frames are speech, and then from its first frame on; a pause of less than 0.3 s
is filled when speech resumes. There is no hang-over: a spurt ends with its last frame of speech, which is why its
end is provisional until 0.3 s have passed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from livemon.talk.columns import Columns, Flags, Micros, Rows

FRAME_US: Final = 20_000
WINDOW: Final = 5
BURST: Final = 3
"""3 of 5 frames: single clicks and DTMF echoes (1 or 2 frames) do not count, a short "yes" (80 ms voiced) does."""
PAUSE_US: Final = 300_000
"""Pauses below 0.3 s are stop consonants and breath, not the end of a turn."""
CLOSE_US: Final = PAUSE_US + WINDOW * FRAME_US
"""A burst that began inside the pause may be confirmed this late."""

_MASK: Final = np.uint8((1 << WINDOW) - 1)
_POPCOUNT: Final = np.array([bin(i).count("1") for i in range(1 << WINDOW)], dtype=np.uint8)
_OLDEST: Final = np.array([max(i.bit_length() - 1, 0) for i in range(1 << WINDOW)], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class SpurtChanges:
    """Rows whose spurts changed in one step; the times are in the finder's columns."""

    closed: Rows
    closed_start: Micros
    closed_end: Micros
    opened: Rows
    extended: Rows

    def any(self) -> bool:
        """Say whether anything changed."""
        return bool(len(self.closed) or len(self.opened) or len(self.extended))


class SpurtFinder(Columns):
    """Columns of one row per leg: is a spurt open, since when, and where its speech ended so far (us)."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.open: Flags = self._column("open", np.bool_, False)
        self.start: Micros = self._column("start", np.int64, 0)
        self.end: Micros = self._column("end", np.int64, 0)
        self._history = self._column("_history", np.uint8, 0)
        self.paused = self._column("paused", np.bool_, False)

    def step(self, rows: Rows, frame_start: Micros, speech: Flags) -> SpurtChanges:
        """Take in one frame for each of `rows` and return what changed."""
        history = ((self._history[rows] << 1) & _MASK) | speech
        self._history[rows] = history
        burst = _POPCOUNT[history] >= BURST
        was_open = self.open[rows]
        begin = frame_start - _OLDEST[history] * FRAME_US
        frame_end = frame_start + FRAME_US
        end = self.end[rows]
        fills = was_open & burst & (begin - end < PAUSE_US)
        opens = burst & ~fills
        closes = was_open & (opens | (~burst & (frame_end - end >= CLOSE_US)))
        extends = fills & self.paused[rows]
        closed = rows[closes]
        changes = SpurtChanges(closed, self.start[closed], self.end[closed], rows[opens], rows[extends])
        self._apply(rows, frame_end, begin, burst, speech, opens, closes)
        return changes

    def _apply(
        self, rows: Rows, frame_end: Micros, begin: Micros, burst: Flags, speech: Flags, opens: Flags, closes: Flags
    ) -> None:
        self.open[rows[closes]] = False
        opened = rows[opens]
        self.open[opened] = True
        self.start[opened] = begin[opens]
        grows = burst & speech
        self.end[rows[grows]] = frame_end[grows]
        self.paused[rows] = ~burst

    def close(self, row: int) -> tuple[int, int] | None:
        """End the spurt of `row` now and return its (start, end), or None if none was open."""
        span = (int(self.start[row]), int(self.end[row])) if self.open[row] else None
        self.blank(row)
        return span
