"""A seeded network that loses, delays, reorders and doubles packets, in virtual time and without I/O."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the network does; probabilities 0 to 1, times in ms.

    Bursts follow Gilbert's model: `burst` is the chance that a packet begins a bad spell of `burst_length` lost ones.
    `reorder` packets are held back by `reorder_ms`. During `outages` ((from, to) pairs) everything is lost.
    """

    loss: float = 0.0
    burst: float = 0.0
    burst_length: int = 5
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    reorder: float = 0.0
    reorder_ms: float = 100.0
    duplicate: float = 0.0
    outages: tuple[tuple[float, float], ...] = ()


class Netem(Generic[T]):
    """One direction of a network; times in ns."""

    def __init__(self, conditions: Conditions, seed: int) -> None:
        self._conditions = conditions
        self._random = random.Random(seed)
        self._flying: list[tuple[int, int, T]] = []
        self._count = 0
        self._bad_left = 0
        self._in_order_ns = 0
        self.lost = 0

    def send(self, item: T, now: int) -> None:
        """Put `item` on the wire at `now`."""
        if self._is_lost(now):
            self.lost += 1
            return
        self._fly(item, now)
        if self._random.random() < self._conditions.duplicate:
            self._fly(item, now)

    def arrived(self, now: int) -> list[tuple[int, T]]:
        """Return what has arrived by `now`, each with its time of arrival, in that order."""
        out: list[tuple[int, T]] = []
        while self._flying and self._flying[0][0] <= now:
            at, _, item = heapq.heappop(self._flying)
            out.append((at, item))
        return out

    def next_arrival(self) -> int | None:
        """Return when the next packet arrives, or None if the wire is empty."""
        return self._flying[0][0] if self._flying else None

    def _is_lost(self, now: int) -> bool:
        conditions = self._conditions
        if any(start <= now / 1e6 < end for start, end in conditions.outages):
            return True
        if self._bad_left:
            self._bad_left -= 1
            return True
        if self._random.random() < conditions.burst:
            self._bad_left = conditions.burst_length - 1
            return True
        return self._random.random() < conditions.loss

    def _fly(self, item: T, now: int) -> None:
        conditions = self._conditions
        delay = conditions.delay_ms + self._random.random() * conditions.jitter_ms
        at = now + round(delay * 1e6)
        if self._random.random() < conditions.reorder:
            at += round(conditions.reorder_ms * 1e6)
        else:
            # Jitter alone does not reorder: queues are first in, first out.
            at = self._in_order_ns = max(at, self._in_order_ns)
        self._count += 1
        heapq.heappush(self._flying, (at, self._count, item))
