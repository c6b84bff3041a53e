from __future__ import annotations

import time
from datetime import UTC, datetime

from livemon import clock


def test_units() -> None:
    before = time.monotonic_ns()
    assert before // 1000 <= clock.monotonic_us() <= time.monotonic_ns() // 1000
    assert abs(clock.utc_ms() - datetime.now(UTC).timestamp() * 1000) < 60_000
