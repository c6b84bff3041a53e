from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from livemon.talk.vad import LINGER, Detector
from tests.speechlike import voice

BOTH = np.array([0, 1])


def frames_of(seconds: float, seed: int) -> NDArray[np.int16]:
    return np.clip(voice(seconds, seed) * 32768, -32768, 32767).astype(np.int16).reshape(-1, 160)


def test_voice_is_speech_and_noise_is_not() -> None:
    detector = Detector(2)
    rng = np.random.default_rng(1)
    speech = frames_of(2.0, 1)
    noise = (rng.standard_normal(speech.shape) * 300).astype(np.int16)
    heard = np.array(
        [detector.voiced(BOTH, np.stack([a, b]), np.array([True, True])) for a, b in zip(speech, noise, strict=True)]
    )
    assert heard[:, 0].mean() > 0.9
    assert heard[5:, 1].mean() < 0.05


def test_only_gated_frames_are_asked_about_and_a_little_after() -> None:
    detector = Detector(1)
    row = np.array([0])
    frame = frames_of(0.02, 1)
    for _ in range(20):
        assert not detector.voiced(row, frame, np.array([False]))[0]
    assert detector.asked == 0
    detector.voiced(row, frame, np.array([True]))
    for _ in range(20):
        assert not detector.voiced(row, frame, np.array([False]))[0]
    assert detector.asked == LINGER


def test_rows_keep_their_own_state_through_growth_and_reuse() -> None:
    detector = Detector(1)
    speech = frames_of(1.0, 3)
    for frame in speech:
        detector.voiced(np.array([0]), frame[None], np.array([True]))
    detector.grow(2)
    other = Detector(1)
    fresh = [bool(other.voiced(np.array([0]), frame[None], np.array([True]))[0]) for frame in speech]
    grown = [bool(detector.voiced(np.array([1]), frame[None], np.array([True]))[0]) for frame in speech]
    detector.blank(0)
    reused = [bool(detector.voiced(np.array([0]), frame[None], np.array([True]))[0]) for frame in speech]
    assert fresh == grown == reused
