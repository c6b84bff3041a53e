"""One-use tickets that carry a sign-in over to a WebSocket (core, no clock)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Generic, TypeVar

from livemon.api.tokens import digest, new_token

LIFETIME_MS: Final = 30_000
"""A page fetches its ticket right before it connects; 30 s is a slow network's worth."""

T = TypeVar("T")


class Tickets(Generic[T]):
    """Tickets that were given out and not used; at most `capacity`, the oldest goes first."""

    def __init__(self, lifetime_ms: int = LIFETIME_MS, capacity: int = 10_000) -> None:
        self._lifetime_ms = lifetime_ms
        self._capacity = capacity
        self._open: OrderedDict[str, tuple[int, T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def issue(self, holder: T, now_ms: int) -> str:
        """Return a new ticket for `holder`."""
        while self._open and (len(self._open) >= self._capacity or self._oldest() <= now_ms - self._lifetime_ms):
            self._open.popitem(last=False)
        ticket = new_token()
        self._open[digest(ticket)] = (now_ms, holder)
        return ticket

    def take(self, ticket: str, now_ms: int) -> T | None:
        """Use up `ticket`; return its holder, or None if it is unknown, used or too old."""
        issued_ms, holder = self._open.pop(digest(ticket), (None, None))
        if issued_ms is None or now_ms - issued_ms >= self._lifetime_ms:
            return None
        return holder

    def _oldest(self) -> int:
        return next(iter(self._open.values()))[0]
