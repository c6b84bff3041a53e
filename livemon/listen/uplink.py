"""The microphone's way to the bridge: order restored within one packet.

No I/O and no clock. Nothing waits longer than 20 ms: the bridge places samples by their timestamp.
"""

from __future__ import annotations

from typing import Final, NamedTuple

HOLD_S: Final = 0.020
"""A packet that came one too early waits this long, one ptime, for the one before it."""


class Piece(NamedTuple):
    """One packet of the microphone; `timestamp` in the codec's own units."""

    seq: int
    timestamp: int
    codec: str
    payload: bytes


class Reorder:
    """Restores the order of neighbours; late and repeated packets are dropped and counted."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._held: tuple[Piece, float] | None = None
        self.late = 0

    def feed(self, piece: Piece, now: float) -> list[Piece]:
        """Take one packet in and return what may go on, in order."""
        out = self.due(now)
        ahead = 0 if self._next is None else (piece.seq - self._next) & 0xFFFF
        if ahead >= 0x8000:
            self.late += 1
            return out
        if ahead == 1 and self._held is None:
            self._held = (piece, now + HOLD_S)
            return out
        held = self._held
        if ahead > 0 and held is not None:
            if held[0].seq == piece.seq:
                self.late += 1
                return out
            out.append(held[0])
            self._held = None
        out.append(piece)
        self._next = (piece.seq + 1) & 0xFFFF
        if self._held is not None and self._held[0].seq == self._next:
            out.append(self._held[0])
            self._next = (self._next + 1) & 0xFFFF
            self._held = None
        return out

    @property
    def holding(self) -> bool:
        """Whether a packet waits, so that `due` has to be called in `HOLD_S`."""
        return self._held is not None

    def due(self, now: float) -> list[Piece]:
        """Return the held packet if its time is up."""
        if self._held is None or now < self._held[1]:
            return []
        piece = self._held[0]
        self._held = None
        self._next = (piece.seq + 1) & 0xFFFF
        return [piece]

    def reset(self) -> None:
        """Forget the stream: the key was let go."""
        self._next = None
        self._held = None
