"""Voices of the demo: one packaged text-to-speech voice, others by pitch; without the package, shaped sound.

Rendered samples are cached on disk, so that only the first run pays for them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import soxr

from livemon.demo.track import RATE, Samples

# More than four semitones makes the one voice sound like a cartoon.
MOST_SEMITONES: Final = 4.0
# Speech at -22 dBFS RMS leaves 22 dB for peaks: ITU-T P.56 active speech level usual in telephony tests is -26 dBov.
SPEECH_DBFS: Final = -22.0
# Part of every cache key: raise it when the rendering changes.
CACHE_VERSION: Final = 1
TTS_RATE: Final = 24000


class Speaker(Protocol):
    """Turns text into sound: float32 or float64, mono, `TTS_RATE` Hz; `speed` 1.0 is the natural rate."""

    def __call__(self, text: str, speed: float) -> npt.NDArray[np.float32]:
        """Return the samples of `text`."""


def packaged_speaker() -> Speaker | None:
    """Return the text-to-speech voice, or None if the demo extra is not installed."""
    try:
        from hibari import Hibari
    except ImportError:
        return None
    voice = Hibari()

    def speak(text: str, speed: float) -> npt.NDArray[np.float32]:
        return np.asarray(voice(text, speed=speed, seed=1), dtype=np.float32)

    return speak


def shaped_speaker(text: str, speed: float) -> npt.NDArray[np.float32]:
    """Return speech-shaped sound: a buzz of 120 Hz with four bursts a second, as long as the text would take.

    Four syllables a second is the middle of conversational English (Pellegrino et al. 2011, Language 87).
    """
    syllables = max(1, round(len(text) / 3.5))
    seconds = syllables / 4.0 / speed
    at = np.arange(round(seconds * TTS_RATE)) / TTS_RATE
    harmonics = sum(np.sin(2 * np.pi * 120 * n * at) / n for n in range(1, 25))
    envelope = np.clip(np.sin(np.pi * 4.0 * speed * at) ** 2 * 1.4 - 0.15, 0.0, 1.0)
    return (np.asarray(harmonics) * envelope * 0.2).astype(np.float32)


class Voices:
    """Renders and remembers lines of text; each person has a pitch in semitones."""

    def __init__(self, cache: Path, find_speaker: Callable[[], Speaker | None] = packaged_speaker) -> None:
        self._cache = cache
        self._find = find_speaker
        self._speaker: Speaker | None = None
        self.generated = False
        """True once shaped sound stood in for the missing text-to-speech package."""

    def render(self, text: str, semitones: float) -> Samples:
        """Return `text` at this pitch: int16, mono, 8000 Hz.

        Raises:
            ValueError: the pitch is further than `MOST_SEMITONES` from the voice's own.
        """
        if abs(semitones) > MOST_SEMITONES:
            raise ValueError(f"{semitones} semitones is further than {MOST_SEMITONES} from the voice")
        speaker = self._find_speaker()
        kind = "shaped" if self.generated else "speech"
        key = hashlib.sha256(f"{CACHE_VERSION}|{kind}|{semitones:.2f}|{text}".encode()).hexdigest()[:32]
        path = self._cache / f"{key}.npy"
        if path.is_file():
            return np.asarray(np.load(path), dtype=np.int16)
        samples = pitched(speaker, text, semitones)
        self._cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            np.save(file, samples)
        part.replace(path)
        return samples

    def _find_speaker(self) -> Speaker:
        if self._speaker is None:
            found = self._find()
            self.generated = found is None
            self._speaker = found or shaped_speaker
        return self._speaker


def pitched(speaker: Speaker, text: str, semitones: float) -> Samples:
    """Return `text` shifted in pitch and not in tempo: spoken slower by the ratio, then resampled faster by it."""
    ratio = 2.0 ** (semitones / 12.0)
    sound = speaker(text, 1.0 / ratio)
    narrow = soxr.resample(sound.astype(np.float64), TTS_RATE * ratio, RATE)
    return levelled(np.asarray(narrow, dtype=np.float64))


def levelled(sound: npt.NDArray[np.float64]) -> Samples:
    """Return `sound` at `SPEECH_DBFS` RMS over its audible part, peaks cut at full scale."""
    audible = sound[np.abs(sound) > 0.01 * np.max(np.abs(sound), initial=1e-9)]
    rms = float(np.sqrt(np.mean(audible**2))) if len(audible) else 1.0
    gain = 10 ** (SPEECH_DBFS / 20) * 32768 / rms
    return np.clip(np.round(sound * gain), -32768, 32767).astype(np.int16)
