"""A short queue of supervisor audio that forgets its delay."""

from __future__ import annotations

from typing import Final

from .g711 import RATE, WIDTH

MOST: Final = RATE * 60 // 1000
"""Samples held: 60 ms, three packets; more would be heard as lag."""
ROUNDS: Final = 25
"""Takes after which a surplus counts as lasting: 500 ms of 20 ms packets, so a stall's lag is gone within 1 s."""


class SampleRing:
    """Linear samples from one supervisor, taken out by the frame.

    The delay is what lies in the queue when a frame is taken. After a stall the supervisor's packets come in a burst
    and would leave a lasting surplus; the least surplus seen during `ROUNDS` takes was never needed, and is cut.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._least = MOST
        self._rounds = 0
        self.overrun = 0
        """Samples dropped because the queue was full or lagged."""

    def __len__(self) -> int:
        return len(self._held) // WIDTH

    def put(self, linear: bytes) -> None:
        """Append samples; the oldest give way when more than 60 ms (or one longer chunk) lie waiting."""
        self._held += linear
        self._cut(len(self) - max(MOST, len(linear) // WIDTH))

    def take(self, samples: int) -> bytes:
        """Return up to `samples` samples, the oldest first."""
        size = samples * WIDTH
        out = bytes(self._held[:size])
        del self._held[:size]
        self._least = min(self._least, len(self))
        self._rounds += 1
        if self._rounds == ROUNDS:
            self._cut(self._least)
            self._rounds = 0
            self._least = MOST
        return out

    def clear(self) -> None:
        """Forget everything that waits."""
        self._held.clear()

    def _cut(self, samples: int) -> None:
        if samples > 0:
            del self._held[: samples * WIDTH]
            self.overrun += samples
