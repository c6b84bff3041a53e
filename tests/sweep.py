"""A sound that a matched filter finds: a sweep through the telephone band, and a microphone that plays it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import signal

from livemon.demo.track import Samples
from tests.browser import write_wav

# One second of a sweep, then silence: the microphone plays it over and over.
SWEEP_S, PAUSE_S = 1.0, 0.5


def sweep(rate: int) -> Samples:
    """Return the sweep: 400 to 3000 Hz."""
    at = np.arange(round(SWEEP_S * rate)) / rate
    wave = signal.chirp(at, 400, SWEEP_S, 3000) * np.hanning(len(at)) ** 0.25
    return np.asarray(np.round(wave * 12000), dtype=np.int16)


def microphone(folder: Path) -> Path:
    """Write the file a browser's microphone plays."""
    path = folder / "sweep.wav"
    pause = np.zeros(round(PAUSE_S * 48000), dtype=np.int16)
    write_wav(path, np.concatenate([sweep(48000), pause]), 48000)
    return path
