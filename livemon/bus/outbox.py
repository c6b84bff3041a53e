"""The bounded queue of bytes in front of one connection."""

from __future__ import annotations

from collections import deque

MAX_WAITING = 16 * 1024 * 1024
"""Bytes that may wait for one slow reader: four of the largest frames."""


class Outbox:
    """Frames that wait to be written; the oldest droppable ones make room, and are counted."""

    def __init__(self, limit: int = MAX_WAITING) -> None:
        self._limit = limit
        self._frames: deque[tuple[bytes, bool]] = deque()
        self._bytes = 0
        self.dropped = 0
        self.overrun = False
        """True when frames that may not be dropped alone exceed the limit: the connection has to go."""

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def waiting(self) -> int:
        """Bytes that wait."""
        return self._bytes

    def put(self, frame: bytes, droppable: bool) -> None:
        """Queue `frame`; messages of topics are droppable, requests and answers are not."""
        self._frames.append((frame, droppable))
        self._bytes += len(frame)
        if self._bytes > self._limit:
            self._shed()

    def take(self) -> bytes:
        """Remove and return the oldest frame."""
        frame, _ = self._frames.popleft()
        self._bytes -= len(frame)
        return frame

    def _shed(self) -> None:
        kept: deque[tuple[bytes, bool]] = deque()
        while self._frames and self._bytes > self._limit:
            frame, droppable = self._frames.popleft()
            if droppable:
                self._bytes -= len(frame)
                self.dropped += 1
            else:
                kept.append((frame, droppable))
        kept.extend(self._frames)
        self._frames = kept
        self.overrun = self._bytes > self._limit
