"""Levels, noise floors and speech levels of all legs, and the gate that follows from them.

No fixed threshold: the floor of every leg is tracked, because one leg's speech (-57 dBFS) is another's noise.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from livemon.talk.columns import Columns, Flags, Reals, Rows

SILENT: Final = -96.0
"""Shown for a leg that sends nothing."""
LOWEST: Final = -72.0
"""dBFS of the smallest mu-law step; below it there is nothing to tell apart."""
FIRST_FLOOR: Final = -60.0
FIRST_SPEECH: Final = -30.0
"""Guesses until the leg has been heard; the floor falls to the truth in 0.1 s, rises to it in seconds."""
GATE_DB: Final = 3.0
"""A frame this far above the floor is worth asking the detector."""
SPEECH_DB: Final = 6.0
"""A frame this far above the floor can be speech: twice the noise's amplitude."""
RANGE_DB: Final = 36.0
"""Frames this far below the loud speech of the same leg are breath, room and crosstalk."""
HOLD_RANGE_DB: Final = 4.0
HOLD_SPEECH_DB: Final = 2.0
"""Hysteresis: a frame after speech may be this much weaker, for words fade where noises do not."""
FALL: Final = 0.2
"""Per frame towards a lower level: 0.1 s to follow."""
RISE_DB: Final = 3.0 * 0.02
"""Per frame of no speech: 3 dB/s, so a step of comfort noise is learnt in seconds."""
RISE_SPEECH_DB: Final = 0.3 * 0.02
"""Per frame of speech: a long monologue must not become the floor, a noise taken for speech in the end must."""
LOUDER: Final = 0.2
"""Per frame of speech towards a louder level."""
QUIETER_DB: Final = 1.0 * 0.02
"""Per frame of speech: after a hot greeting a quiet speaker is understood within seconds."""


def dbfs(frames: NDArray[np.int16]) -> Reals:
    """Return the level of each frame (rows of samples) in dB below a full-scale square wave, at least LOWEST."""
    floats = frames.astype(np.float32)
    power = np.einsum("ij,ij->i", floats, floats) / (frames.shape[1] * 32768.0**2)
    return np.asarray(np.maximum(10.0 * np.log10(power + 1e-12), LOWEST), dtype=np.float64)


class Levels(Columns):
    """Columns of one row per leg: its noise floor, its speech level and its last level (dBFS)."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.floor: Reals = self._column("floor", np.float64, FIRST_FLOOR)
        self.speech: Reals = self._column("speech", np.float64, FIRST_SPEECH)
        self._on: Flags = self._column("_on", np.bool_, False)
        self.last: Reals = self._column("last", np.float64, SILENT)

    def gate(self, rows: Rows, level: Reals) -> Flags:
        """Return which frames are loud enough to ask the detector about."""
        self.last[rows] = level
        weakest = self.speech[rows] - RANGE_DB - HOLD_RANGE_DB * self._on[rows]
        return (level > self.floor[rows] + GATE_DB) & (level > weakest)

    def judge(self, rows: Rows, level: Reals, voiced: Flags) -> Flags:
        """Return which frames are speech, and learn from them; `voiced` is the detector's word on gated frames."""
        floor = self.floor[rows]
        speech = self.speech[rows]
        above = level - floor
        rise = np.where(voiced, RISE_SPEECH_DB, RISE_DB)
        self.floor[rows] = floor + np.where(above < 0, FALL * above, np.minimum(above, rise))
        louder = np.where(level > speech, LOUDER * (level - speech), -QUIETER_DB)
        self.speech[rows] = np.where(voiced, speech + louder, speech)
        out = voiced & (above > SPEECH_DB - HOLD_SPEECH_DB * self._on[rows])
        self._on[rows] = out
        return out
