"""Proof at run time that what the customer hears is what the agent's phone sent."""

from __future__ import annotations

from typing import Final

SLOTS: Final = 64
"""Timestamps remembered: 640 ms of 10 ms packets; relay is on arrival, so one would do."""
_GRAIN: Final = 4
"""Timestamps are told apart in steps of 16 units: 80, 160, 240 and 480 (10 to 60 ms) fall into different slots."""


class ProofTable:
    """Keyed hashes of the payloads received on one leg, by source timestamp.

    The hash is CPython's own of `bytes`: SipHash-1-3 under a key drawn at start (the host refuses a fixed one).
    See docs/decisions/0020-proof-hash.md.
    """

    __slots__ = ("_hashes", "_stamps")

    def __init__(self) -> None:
        self._hashes = [0] * SLOTS
        self._stamps = [-1] * SLOTS

    def note(self, timestamp: int, payload: bytes) -> None:
        """Remember a payload as it was received."""
        slot = timestamp >> _GRAIN & (SLOTS - 1)
        self._stamps[slot] = timestamp
        self._hashes[slot] = hash(payload)

    def holds(self, timestamp: int, payload: bytes) -> bool:
        """Tell whether exactly this payload was received under this timestamp."""
        slot = timestamp >> _GRAIN & (SLOTS - 1)
        return self._stamps[slot] == timestamp and self._hashes[slot] == hash(payload)
