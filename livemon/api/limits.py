"""Counts attempts per key and says who has made too many (core, no clock)."""

from __future__ import annotations

from collections import OrderedDict, deque


class Attempts:
    """At most `limit` noted attempts per key within `window_ms`; older ones are forgotten.

    At most `capacity` keys are remembered, the longest unused goes first: an attacker with many addresses can
    shorten memories, not fill ours.
    """

    def __init__(self, limit: int, window_ms: int, capacity: int = 10_000) -> None:
        self.limit = limit
        self.window_ms = window_ms
        self._capacity = capacity
        self._noted: OrderedDict[str, deque[int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._noted)

    def wait_ms(self, key: str, now_ms: int) -> int:
        """Return 0 if `key` may try now, else in how many ms it may."""
        noted = self._noted.get(key)
        if noted is None or len(noted) < self.limit:
            return 0
        return max(0, noted[0] + self.window_ms - now_ms)

    def note(self, key: str, now_ms: int) -> None:
        """Count one attempt of `key`."""
        noted = self._noted.setdefault(key, deque(maxlen=self.limit))
        self._noted.move_to_end(key)
        noted.append(now_ms)
        while len(self._noted) > self._capacity:
            self._noted.popitem(last=False)

    def forget(self, key: str) -> None:
        """Drop what was counted for `key`."""
        self._noted.pop(key, None)
