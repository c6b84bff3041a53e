"""The speech detector behind the level gate: webrtcvad mode 3, one state per leg.

Modes 0 to 2 take line noise for speech, which hides dead air. The detector holds the interpreter's lock at 2.4 us a
frame, so it is asked only about frames that passed the gate and for 0.1 s after them (its own noise model starves
otherwise).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from webrtcvad import _webrtcvad

from livemon.talk.columns import Columns, Flags, Rows

MODE: Final = 3
RATE: Final = 8000
LINGER: Final = 5
"""Frames after the gate closed that the detector still sees."""


class Detector(Columns):
    """One webrtcvad per leg, fed with the frames that count."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self._linger = self._column("_linger", np.int64, 0)
        self._states: list[Any] = [None] * rows
        self.asked = 0

    def grow(self, rows: int) -> None:
        """Make room for `rows` rows."""
        super().grow(rows)
        self._states.extend([None] * (rows - len(self._states)))

    def blank(self, row: int) -> None:
        """Forget the leg in `row`."""
        super().blank(row)
        self._states[row] = None

    def voiced(self, rows: Rows, frames: NDArray[np.int16], gate: Flags) -> Flags:
        """Return which gated frames (n, 160 samples) hold speech."""
        linger = np.where(gate, LINGER, self._linger[rows] - 1)
        self._linger[rows] = np.maximum(linger, 0)
        asked = np.flatnonzero(gate | (linger > 0))
        self.asked += len(asked)
        out = np.zeros(len(rows), np.bool_)
        if len(asked):
            states = self._states
            octets = frames[asked].tobytes()
            size = frames.shape[1]
            step = size * 2
            process = _webrtcvad.process
            out[asked] = [
                process(states[row] or self._fresh(row), RATE, octets[at : at + step], size)
                for row, at in zip(rows[asked].tolist(), range(0, len(octets), step), strict=True)
            ]
        return out & gate

    def _fresh(self, row: int) -> Any:
        state = _webrtcvad.create()
        _webrtcvad.init(state)
        _webrtcvad.set_mode(state, MODE)
        self._states[row] = state
        return state
