"""The difference between this machine's monotonic clock and a bridge's."""

from __future__ import annotations

WINDOW_US = 30_000_000
"""Microseconds of one window: long enough to meet an undelayed frame, short enough to follow two drifting clocks
(100 ppm apart is 3 ms in 30 s)."""


class ClockOffset:
    """The smallest delay seen in the last one to two windows; that frame was delayed least, so it tells the truth."""

    def __init__(self, bridge_us: int, local_us: int) -> None:
        self._previous = self._current = local_us - bridge_us
        self._since = local_us

    def feed(self, bridge_us: int, local_us: int) -> None:
        """Take note that something stamped `bridge_us` by the bridge was here at `local_us`."""
        delay = local_us - bridge_us
        if local_us - self._since >= WINDOW_US:
            self._previous, self._current, self._since = self._current, delay, local_us
        elif delay < self._current:
            self._current = delay

    def bridge_us(self, local_us: int) -> int:
        """Return the bridge's clock at `local_us` of ours."""
        return local_us - min(self._previous, self._current)
