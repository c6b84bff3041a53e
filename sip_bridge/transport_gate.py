"""How many messages a stranger may send: one token bucket for each source address."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol


class SourceGate(Protocol):
    """Decides whether a message from a source is looked at."""

    def allow(self, host: str, now: float) -> bool:
        """Return False to drop it unread."""


@dataclass(slots=True)
class TokenBuckets:
    """A gate that gives every host `rate` messages a second and `burst` at once; trunks are `exempt`.

    The defaults suit a phone: a call is about ten messages, a registration four. At most `sources` hosts are
    remembered; the one longest silent is forgotten, and starts with a full bucket when it comes again.
    """

    rate: float = 20.0
    burst: float = 100.0
    exempt: frozenset[str] = frozenset()
    sources: int = 4096
    dropped: int = 0
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def allow(self, host: str, now: float) -> bool:
        """Take one token from the host's bucket; False when it is empty."""
        if host in self.exempt:
            return True
        tokens, since = self._buckets.pop(host, (self.burst, now))
        tokens = min(self.burst, tokens + (now - since) * self.rate)
        allowed = tokens >= 1.0
        self._buckets[host] = (tokens - 1.0 if allowed else tokens, now)
        if len(self._buckets) > self.sources:
            self._buckets.popitem(last=False)
        self.dropped += not allowed
        return allowed
