"""Why nobody is heard: what signalling and the packet stream say about every stretch of time."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import msgspec

from livemon.talk.ports import Cause

PRIORITY: Final[tuple[Cause, ...]] = (
    "tap_lost",
    "hold",
    "ringing",
    "music",
    "network",
    "no_packets",
    "agent_muted",
)
"""Where several hold, the first one is told: what we could not observe at all, then what signalling knows."""
FOREVER: Final = 1 << 62


class Interval(msgspec.Struct, array_like=True):
    """A cause from `start` to `end` (ms; FOREVER while it lasts); `key` says which leg or party it is about."""

    start: int
    end: int
    cause: Cause
    key: str = ""


class Causes(msgspec.Struct):
    """The causes of one interaction; old ones are dropped as the time line settles."""

    intervals: list[Interval] = []

    def begin(self, cause: Cause, start: int, key: str = "") -> None:
        """Note that `cause` holds from `start` on; a second begin of the same is ignored."""
        if not self._running(cause, key):
            self.intervals.append(Interval(start, FOREVER, cause, key))

    def end(self, cause: Cause, end: int, key: str = "") -> bool:
        """Note that `cause` ended; returns whether it had begun."""
        running = self._running(cause, key)
        for interval in running:
            interval.end = max(end, interval.start)
        return bool(running)

    def cancel(self, cause: Cause, key: str = "") -> None:
        """Take a running cause back: it turned out not to be one."""
        for interval in self._running(cause, key):
            self.intervals.remove(interval)

    def add(self, cause: Cause, start: int, end: int, key: str = "") -> None:
        """Note a cause that is already over."""
        if end > start:
            self.intervals.append(Interval(start, end, cause, key))

    def prune(self, before: int) -> None:
        """Drop what ended before `before`."""
        self.intervals = [i for i in self.intervals if i.end > before]

    def split(self, start: int, end: int) -> list[tuple[int, int, Cause]]:
        """Cut [start, end) where the cause changes; what nothing explains is `unexplained`."""
        near = [i for i in self.intervals if i.start < end and i.end > start]
        if not near:
            return [(start, end, "unexplained")] if end > start else []
        edges = {start, end}
        for interval in near:
            edges.add(max(interval.start, start))
            edges.add(min(interval.end, end))
        points = sorted(edges)
        out: list[tuple[int, int, Cause]] = []
        for a, b in pairwise(points):
            cause = _strongest(near, a)
            if out and out[-1][2] == cause:
                out[-1] = (out[-1][0], b, cause)
            else:
                out.append((a, b, cause))
        return out

    def _running(self, cause: Cause, key: str) -> list[Interval]:
        return [i for i in self.intervals if i.end == FOREVER and i.cause == cause and i.key == key]


def _strongest(intervals: list[Interval], at: int) -> Cause:
    present = {i.cause for i in intervals if i.start <= at < i.end}
    return next((cause for cause in PRIORITY if cause in present), "unexplained")
