"""Every leg's sample count on one time line: min-filtered linear fit of (position, arrival), slewed, never stepped.

A packet can be late but never early, so the least lateness in each 2 s says where the leg's clock stands, and a
line through the last 64 s of those says how fast it drifts. `time(position) = offset + 125 us * position`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from livemon.talk.columns import Columns, Reals, Rows

SAMPLE_US: Final = 125
"""8000 Hz."""
BIN_US: Final = 2_000_000
"""Long enough to hold some undelayed packets under load, short against the drift (100 ppm: 0.2 ms)."""
BINS: Final = 32
FIT_BINS: Final = 8
"""Below 16 s the slope of a line through jitter is worse than no slope."""
MAX_DRIFT: Final = 300e-6
"""Crystals are good for 100 ppm, software clocks for 200; more is a change of the path, not a clock."""
SLEW: Final = 0.001
"""At least 1 ms/s: ten times the drift of a bad crystal."""
SETTLE_S: Final = 5.0
"""A larger error (a first packet that was itself late, a new route) decays with this time constant."""
_EMPTY: Final = np.inf


class ClockMap(Columns):
    """Columns of one row per leg: the time of its position 0, as well as it is known."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.offset: Reals = self._column("offset", np.float64, 0.0)
        self._goal: Reals = self._column("_goal", np.float64, 0.0)
        self._slope: Reals = self._column("_slope", np.float64, 0.0)
        self._least: Reals = self._column("_least", np.float64, _EMPTY, BINS)
        self._started = self._column("_started", np.bool_, False)
        self._bin = -1
        self._fitted_us = 0

    def begin(self, row: int, offset_us: float) -> None:
        """Put position 0 of `row` at `offset_us`."""
        self.offset[row] = self._goal[row] = offset_us
        self._slope[row] = 0.0
        self._least[row] = _EMPTY
        self._started[row] = True

    def forget(self, row: int) -> None:
        """Drop what was learned of the path of `row` (its packets jumped), but stay where it is."""
        self.begin(row, float(self.offset[row]))

    def note(self, rows: Rows, positions: NDArray[np.int64], arrivals: NDArray[np.int64]) -> None:
        """Take in packets, at most one a row: `positions` are just after their last samples, `arrivals` in us."""
        late = (arrivals - positions * SAMPLE_US).astype(np.float64)
        least = self._least[:, self._bin % BINS]
        least[rows] = np.minimum(least[rows], late)

    def step(self, now_us: int, elapsed_us: int) -> None:
        """Move every row towards its goal; every 2 s fit the goals anew."""
        number = now_us // BIN_US
        if number != self._bin:
            if self._bin >= 0:
                self._fit(now_us)
            self._bin = number
            self._least[:, number % BINS] = _EMPTY
        self._slew(now_us, elapsed_us)

    def _slew(self, now_us: int, elapsed_us: int) -> None:
        error = self._goal + self._slope * (now_us - self._fitted_us) - self.offset
        limit = np.maximum(SLEW * elapsed_us, np.abs(error) * (elapsed_us / (SETTLE_S * 1e6)))
        self.offset += np.clip(error, -limit, limit)

    def _fit(self, now_us: int) -> None:
        # Bins hold the least lateness at their middle; age counts back from now in us.
        behind = (self._bin - np.arange(BINS)) % BINS
        age = behind * float(BIN_US) + BIN_US / 2
        known = np.isfinite(self._least)
        count = known.sum(axis=1)
        values = np.where(known, self._least, 0.0)
        n = np.maximum(count, 1)
        mean_age = (known * age).sum(axis=1) / n
        mean = values.sum(axis=1) / n
        spread = np.where(known, age - mean_age[:, None], 0.0)
        variance = np.maximum((spread * spread).sum(axis=1), 1.0)
        slope = -(spread * (values - mean[:, None])).sum(axis=1) / variance
        slope = np.where(count >= FIT_BINS, np.clip(slope, -MAX_DRIFT, MAX_DRIFT), 0.0)
        projected = np.where(known, values + slope[:, None] * age, _EMPTY)
        least = projected.min(axis=1)
        fitted = self._started & (count > 0)
        self._goal[fitted] = least[fitted]
        self._goal[~fitted] = self.offset[~fitted]
        self._slope = np.where(fitted, slope, 0.0)
        self._fitted_us = now_us
