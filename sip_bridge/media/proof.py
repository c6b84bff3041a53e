"""Proof at run time that what the customer hears is what the agent's phone sent."""

from __future__ import annotations

from typing import Final

SLOTS: Final = 64
"""Payloads remembered. Relay is on arrival, so one would do; few, so that they stay in the processor's cache."""
_GRAIN: Final = 4
"""Timestamps are told apart in steps of 16 units: 80, 160, 240 and 480 (10 to 60 ms) fall into different slots."""


class ProofTable:
    """Keyed hashes of received payloads, by leg and source timestamp.

    The hash is CPython's own of `bytes`: SipHash-1-3 under a key drawn at start (the host refuses a fixed one).
    See docs/decisions/0020-proof-hash.md.
    """

    __slots__ = ("_hashes", "_keys")

    def __init__(self) -> None:
        self._hashes = [0] * SLOTS
        self._keys = [-1] * SLOTS

    def note(self, leg: int, timestamp: int, payload: bytes) -> None:
        """Remember a payload as it was received on `leg`."""
        slot = (timestamp >> _GRAIN ^ leg) & (SLOTS - 1)
        self._keys[slot] = leg << 32 | timestamp
        self._hashes[slot] = hash(payload)

    def holds(self, leg: int, timestamp: int, payload: bytes) -> bool:
        """Tell whether exactly this payload was received on `leg` under this timestamp."""
        slot = (timestamp >> _GRAIN ^ leg) & (SLOTS - 1)
        return self._keys[slot] == leg << 32 | timestamp and self._hashes[slot] == hash(payload)
