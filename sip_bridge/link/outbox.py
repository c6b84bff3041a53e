"""What waits to go to a node: call events, then the live tap, then a replay; the oldest tap frames give way."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

MAX_LIVE_BYTES: Final = 8 << 20
"""Tap bytes that may wait: 0.4 s of 1000 calls. A node further behind than that is better served by fresh audio."""
MAX_TEXTS: Final = 20_000
"""Events that may wait: 1000 calls with 20 changes each. A node that is further behind is told anew from the start."""
_compact: Final = json.JSONEncoder(separators=(",", ":")).encode


class Outbox:
    """The queue of one connection."""

    def __init__(self, max_live_bytes: int = MAX_LIVE_BYTES, max_texts: int = MAX_TEXTS) -> None:
        self.overrun = False
        """Events were lost: the connection must be closed, so that the next one re-announces everything."""
        self.dropped = 0
        """Tap frames dropped in all."""
        self._max_live = max_live_bytes
        self._max_texts = max_texts
        self._texts: deque[str] = deque()
        self._live: deque[bytes] = deque()
        self._replay: deque[bytes] = deque()
        self._live_bytes = 0
        self._dropping_since: int | None = None
        self._untold = 0

    def __len__(self) -> int:
        return len(self._texts) + len(self._live) + len(self._replay)

    def tell(self, message: dict[str, Any]) -> None:
        """Queue a JSON message."""
        if len(self._texts) >= self._max_texts:
            self.overrun = True
            return
        self._texts.append(_compact(message))

    def tap(self, frame: bytes, now_ns: int) -> None:
        """Queue a live tap frame; the oldest ones give way."""
        self._live.append(frame)
        self._live_bytes += len(frame)
        while self._live_bytes > self._max_live and len(self._live) > 1:
            self._live_bytes -= len(self._live.popleft())
            self.dropped += 1
            self._untold += 1
            if self._dropping_since is None:
                self._dropping_since = now_ns

    def replay(self, frames: Iterable[bytes]) -> None:
        """Queue old frames; they go when nothing else waits, so live traffic is never behind them."""
        self._replay.extend(frames)

    def next(self) -> str | bytes | None:
        """Return what to send next, or None."""
        if self._texts:
            return self._texts.popleft()
        if self._live:
            frame = self._live.popleft()
            self._live_bytes -= len(frame)
            self._report()
            return frame
        return self._replay.popleft() if self._replay else None

    def _report(self) -> None:
        """Once the queue flows again, say what was dropped."""
        if self._dropping_since is not None and self._live_bytes < self._max_live // 2:
            self.tell({"t": "dropped", "frames": self._untold, "since_ns": self._dropping_since})
            self._dropping_since, self._untold = None, 0
