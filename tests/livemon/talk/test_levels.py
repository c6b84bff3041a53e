from __future__ import annotations

import numpy as np
import pytest

from livemon.talk.levels import FIRST_FLOOR, LOWEST, SPEECH_DB, Levels, dbfs

ROW = np.array([0])


def hear(levels: Levels, level: float, frames: int, voiced: bool) -> list[bool]:
    out = []
    for _ in range(frames):
        gate = levels.gate(ROW, np.array([level]))
        out.append(bool(levels.judge(ROW, np.array([level]), gate & np.array([voiced]))[0]))
    return out


def test_levels_are_relative_to_full_scale() -> None:
    frames = np.zeros((3, 160), np.int16)
    frames[0] = 32767
    frames[1] = 3277
    assert dbfs(frames).tolist() == pytest.approx([0.0, -20.0, LOWEST], abs=0.01)


def test_the_floor_falls_fast_and_rises_slowly() -> None:
    levels = Levels(1)
    hear(levels, -70.0, 15, voiced=False)
    assert levels.floor[0] < -69.0
    hear(levels, -50.0, 50, voiced=False)
    assert -67.5 < levels.floor[0] < -66.0  # 3 dB in the second
    hear(levels, -50.0, 400, voiced=False)
    assert levels.floor[0] == pytest.approx(-50.0)


def test_a_long_monologue_does_not_become_the_floor() -> None:
    levels = Levels(1)
    assert all(hear(levels, -25.0, 60 * 50, voiced=True))
    assert levels.floor[0] < -25.0 - SPEECH_DB


def test_a_quiet_speaker_is_speech_and_the_noise_of_a_loud_one_is_not() -> None:
    quiet = Levels(1)
    hear(quiet, -72.0, 50, voiced=False)
    assert all(hear(quiet, -57.0, 10, voiced=True))
    loud = Levels(1)
    hear(loud, -72.0, 50, voiced=False)
    hear(loud, -10.0, 50, voiced=True)
    hear(loud, -72.0, 5, voiced=False)
    assert not any(hear(loud, -57.0, 10, voiced=True))


def test_a_word_may_fade_further_than_it_may_begin() -> None:
    fading = Levels(1)
    hear(fading, FIRST_FLOOR, 1, voiced=False)
    assert not any(hear(fading, FIRST_FLOOR + 5.0, 1, voiced=True))
    assert all(hear(fading, FIRST_FLOOR + 20.0, 1, voiced=True))
    assert all(hear(fading, FIRST_FLOOR + 5.0, 1, voiced=True))


def test_the_last_level_is_kept_for_meters() -> None:
    levels = Levels(2)
    levels.gate(np.array([1]), np.array([-33.0]))
    assert levels.last.tolist() == [-96.0, -33.0]
