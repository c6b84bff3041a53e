from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from livemon.talk.clockmap import SAMPLE_US, ClockMap

SECOND = 1_000_000


def drive(
    clock: ClockMap,
    seconds: int,
    ppm: float = 0.0,
    jitter_us: int = 0,
    offset_us: int = 0,
    seed: int = 1,
    start: int = 0,
) -> list[float]:
    """Packets every 0.1 s through row 0; returns how far the map is off at the end of each second (us)."""
    rng = np.random.default_rng(seed)
    rows = np.array([0])
    errors = []
    for tenth in range(start * 10, (start + seconds) * 10):
        now = tenth * 100_000
        clock.step(now, 100_000)
        position = round(now * (1 + ppm * 1e-6) / SAMPLE_US)
        late = int(rng.integers(0, jitter_us + 1))
        clock.note(rows, np.array([position]), np.array([now + offset_us + late]))
        if tenth % 10 == 9:
            errors.append(float(clock.offset[0]) + position * SAMPLE_US - now - offset_us)
    return errors


@pytest.mark.parametrize("ppm", [-100.0, 0.0, 100.0])
def test_an_hour_of_drift_is_followed_to_a_millisecond(ppm: float) -> None:
    clock = ClockMap(1)
    clock.begin(0, 0.0)
    errors = drive(clock, 3600, ppm, jitter_us=15_000)
    assert max(abs(error) for error in errors[60:]) < 3_000
    assert abs(errors[-1]) < 1_500


def test_a_late_first_packet_is_slewed_away_never_stepped() -> None:
    clock = ClockMap(1)
    clock.begin(0, 100_000.0)
    before = [100_000.0, *drive(clock, 60)]
    steps = [a - b for a, b in pairwise(before)]
    # 100 ms with a time constant of 5 s: at most 20 ms in the first second.
    assert max(steps) <= 21_000
    assert min(steps) >= -1
    assert abs(before[-1]) < 500


def test_a_longer_path_is_followed_slowly() -> None:
    clock = ClockMap(1)
    clock.begin(0, 0.0)
    drive(clock, 70)
    errors = drive(clock, 120, offset_us=20_000, start=70)
    assert errors[0] < -19_000
    assert max(abs(b - a) for a, b in pairwise(errors)) < 4_100
    assert abs(errors[-1]) < 2_000


def test_forgetting_keeps_the_place() -> None:
    clock = ClockMap(2)
    clock.begin(0, 5_000.0)
    drive(clock, 10, offset_us=5_000)
    place = float(clock.offset[0])
    clock.forget(0)
    assert float(clock.offset[0]) == place
    clock.step(100 * SECOND, 20_000)
    assert float(clock.offset[0]) == pytest.approx(place)
    assert float(clock.offset[1]) == 0.0
