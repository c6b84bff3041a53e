"""The RTP ports of the bridge: even ports handed out in turn, freed ones rested before they serve again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

REST: Final = 10.0
"""Seconds a freed port rests: packets of the call before it die out (a phone's BYE retransmits for up to 32 s, but its
RTP stops with the first), and a stale one cannot be taken for the next call's."""


class PortPool:
    """Hands out even RTP ports of `low..high`; the odd one above each is its RTCP port (RFC 3550, 11)."""

    def __init__(self, low: int, high: int) -> None:
        first = low + low % 2
        self._free: deque[int] = deque(range(first, high, 2))
        self._resting: deque[tuple[float, int]] = deque()
        self._all = frozenset(self._free)

    @property
    def size(self) -> int:
        """How many ports there are in all."""
        return len(self._all)

    def free(self, now: float) -> int:
        """Return how many ports could be handed out rested at `now`."""
        self._wake(now)
        return len(self._free)

    def take(self, now: float) -> int | None:
        """Return the port that has been free for longest, or None when none is left.

        Under load a resting port is woken early, the one that has rested longest: a shorter rest beats a lost call.
        """
        self._wake(now)
        if self._free:
            return self._free.popleft()
        return self._resting.popleft()[1] if self._resting else None

    def give(self, port: int, now: float) -> None:
        """Take `port` back; it rests for `REST` seconds."""
        if port in self._all:
            self._resting.append((now + REST, port))

    def claim(self, ports: Iterable[int]) -> None:
        """Mark `ports` as in use, as found in a journal after a restart."""
        wanted = frozenset(ports)
        self._free = deque(port for port in self._free if port not in wanted)

    def _wake(self, now: float) -> None:
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])
