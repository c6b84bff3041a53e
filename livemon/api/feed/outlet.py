"""The frames on their way to one page, and what happens when it does not read them (core).

current --(SOFT_LIMIT bytes wait)--> behind: waiting deltas are dropped, new ones only counted
behind --(everything that waited was read)--> current, with a fresh snapshot
behind --(HARD_LIMIT bytes missed)--> cut
"""

from __future__ import annotations

from collections import deque
from typing import Final

SOFT_LIMIT: Final = 256 * 1024
"""Bytes of deltas that may wait: about 15 s of 500 calls, far more than a hiccup."""
HARD_LIMIT: Final = 1024 * 1024
"""Bytes a page may miss before it is cut: it reads nothing at all, or so little that no picture of it is true."""
MAX_DIRECT: Final = 64
"""Small answers that may wait beside the deltas: six seconds of session states at 10 a second."""


class Outlet:
    """Numbers and queues the frames of one connection; the socket takes them one by one with `take`."""

    def __init__(self) -> None:
        self._n = 0
        self._direct: deque[bytes] = deque(maxlen=MAX_DIRECT)
        self._frames: deque[bytes] = deque()  # bounded by SOFT_LIMIT and one snapshot
        self._waiting = 0
        self._missed = 0
        self.behind = True
        """Whether the page needs a snapshot before any delta makes sense; so it does in the beginning."""

    @property
    def cut(self) -> bool:
        """Return whether the page missed so much that its connection must end."""
        return self._missed >= HARD_LIMIT

    @property
    def wants_snapshot(self) -> bool:
        """Return whether a snapshot should be made now: the page is behind and has read all that was sent."""
        return self.behind and not self._frames

    def snapshot(self, me: bytes, now_ms: int, body: bytes) -> None:
        """Queue a snapshot; deltas follow it again."""
        self._n += 1
        self.behind = False
        self._missed = 0
        self._put(b'{"type":"snapshot","n":%d,"now_ms":%d,"me":%b,%b}' % (self._n, now_ms, me, body))

    def delta(self, now_ms: int, body: bytes) -> None:
        """Queue a delta, or only count it when the page is too slow to read it."""
        if self.behind:
            self._missed += len(body)
            return
        self._n += 1
        self._put(b'{"type":"delta","n":%d,"now_ms":%d,%b}' % (self._n, now_ms, body))
        if self._waiting > SOFT_LIMIT and len(self._frames) > 1:
            self.resync()

    def direct(self, frame: bytes) -> None:
        """Queue a frame that has no number; it overtakes the others."""
        self._direct.append(frame)

    def resync(self) -> None:
        """Drop what waits, because a snapshot will say it all."""
        self._missed += self._waiting
        self._frames.clear()
        self._waiting = 0
        self.behind = True

    def take(self) -> bytes | None:
        """Return the next frame to send, or None."""
        if self._direct:
            return self._direct.popleft()
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._waiting -= len(frame)
        return frame

    def _put(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._waiting += len(frame)
