"""The third slot: coach and third parties of a call mixed to one stream, 20 ms at a time. No I/O, no clock."""

from __future__ import annotations

import audioop
from typing import Final

FRAME: Final = 160
"""Samples of 20 ms at 8000 Hz."""
_BACKLOG: Final = 3 * FRAME
"""60 ms: more than that of one source is not jitter but a burst after a stall, and would stay as delay."""


class OthersMixer:
    """Adds up sources of 16-bit PCM at 8000 Hz; each is heard at its own level, the sum saturates."""

    def __init__(self) -> None:
        self._waiting: dict[str, bytearray] = {}
        self.timestamp = 0
        self.seq = 0

    @property
    def idle(self) -> bool:
        """Whether no source has anything to say."""
        return not self._waiting

    def feed(self, source: str, ulaw: bytes) -> None:
        """Add mu-law samples of `source`; what is older than 60 ms is dropped."""
        waiting = self._waiting.setdefault(source, bytearray())
        waiting += audioop.ulaw2lin(ulaw, 2)
        if len(waiting) > 2 * _BACKLOG:
            del waiting[: len(waiting) - 2 * _BACKLOG]

    def drop(self, source: str) -> None:
        """Forget what `source` said."""
        self._waiting.pop(source, None)

    def tick(self) -> bytes:
        """Return the mu-law of the next 20 ms, b"" when nobody speaks; time goes on in both cases."""
        mixed = b""
        for source in list(self._waiting):
            waiting = self._waiting[source]
            part = bytes(waiting[: 2 * FRAME]).ljust(2 * FRAME, b"\0")
            del waiting[: 2 * FRAME]
            if not waiting:
                del self._waiting[source]
            mixed = audioop.add(mixed, part, 2) if mixed else part
        self.timestamp = (self.timestamp + FRAME) & 0xFFFFFFFF
        if not mixed:
            return b""
        self.seq = (self.seq + 1) & 0xFFFF
        return audioop.lin2ulaw(mixed, 2)
