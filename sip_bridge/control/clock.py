"""The anchor between the bridge's monotonic clock and UTC, sent once a minute and when UTC steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EVERY: Final = 60.0
"""Seconds between anchors while the clocks agree."""
STEP_MS: Final = 20
"""A larger change of the offset between two looks is a step: marks are to be right within 20 ms."""


@dataclass(slots=True)
class ClockAnchor:
    """Decides when a new anchor is due."""

    sent_at: float = float("-inf")
    offset_ms: float = 0.0

    def due(self, mono_ns: int, utc_ms: int) -> bool:
        """Whether to send an anchor now; asking counts as sending."""
        now = mono_ns / 1e9
        offset = utc_ms - mono_ns / 1e6
        if now - self.sent_at < EVERY and abs(offset - self.offset_ms) <= STEP_MS:
            return False
        self.sent_at, self.offset_ms = now, offset
        return True
