"""The two clocks, for shells: cores get their time as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def monotonic_us() -> int:
    """Return CLOCK_MONOTONIC in microseconds."""
    return time.monotonic_ns() // 1000


def utc_ms() -> int:
    """Return UTC in milliseconds; it can step."""
    return int(datetime.now(UTC).timestamp() * 1000)
