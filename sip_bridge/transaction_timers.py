"""Timers as data: what is due when, without a clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from math import ceil
from typing import Final

Fire = Callable[[float], None]
COMPACT_AT: Final = 1024
"""Cancelled timers kept before the heap is rebuilt: timer C would otherwise hold dead entries for three minutes."""

GRAIN: Final = 0.125
"""Seconds; deadlines are tens of seconds, and one wake-up for eight of them costs an eighth."""


class Timer:
    """One armed timer; cancelling it lets go of everything it held."""

    __slots__ = ("_queue", "due", "fire")

    def __init__(self, queue: TimerQueue, due: float, fire: Fire) -> None:
        self._queue = queue
        self.due = due
        self.fire: Fire | None = fire

    def cancel(self) -> None:
        """Disarm; doing so twice, or after it fired, is harmless."""
        if self.fire is not None:
            self.fire = None
            self._queue.cancelled_one()


class TimerQueue:
    """All timers of one stack, earliest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._serial = count()
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    @property
    def stored(self) -> int:
        """How many entries are held, cancelled ones included."""
        return len(self._heap)

    def arm(self, due: float, fire: Fire) -> Timer:
        """Call `fire(now)` at the first `tick` not before `due` (s)."""
        timer = Timer(self, due, fire)
        heapq.heappush(self._heap, (due, next(self._serial), timer))
        return timer

    def due(self) -> float | None:
        """Return when `tick` has to be called next, None for never."""
        heap = self._heap
        while heap:
            if heap[0][2].fire is not None:
                return heap[0][0]
            heapq.heappop(heap)
            self._cancelled -= 1
        return None

    def arm_coarse(self, due: float, fire: Fire) -> Timer:
        """Arm a timer that may be up to `GRAIN` late, so that many fall due together."""
        return self.arm(ceil(due / GRAIN) * GRAIN, fire)

    def tick(self, now: float) -> None:
        """Fire all that is due."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            timer = heapq.heappop(heap)[2]
            fire = timer.fire
            if fire is None:
                self._cancelled -= 1
                continue
            timer.fire = None
            fire(now)
            heap = self._heap

    def cancelled_one(self) -> None:
        """Count a cancelled timer, and drop them all when they have become many."""
        self._cancelled += 1
        if self._cancelled > COMPACT_AT and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].fire is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0
