"""One leg with both its halves, and its figures."""

from __future__ import annotations

from typing import Final

from sip_bridge.link import wire
from sip_bridge.link.wire import TapRow

from .leg import Dropped, Leg
from .outbound import AgentOutbound, CustomerOutbound, Outbound
from .reports import Reporter
from .rtp import M16

TOTALS: Final = (
    "packets_in",
    "packets_out",
    "packets_generated",
    "packets_mixed",
    "send_failed",
    "whisper_samples",
    "dropped_foreign",
    "dropped_malformed",
    "dropped_capped",
)
"""Names of what `Line.totals` counts."""


class Line:
    """What a phone sends, what it is sent, and its reports."""

    __slots__ = ("_row_packets", "_row_samples", "leg", "out", "proof_failed", "reporter", "target")

    def __init__(self, leg: Leg, out: AgentOutbound | CustomerOutbound, reporter: Reporter) -> None:
        self.leg = leg
        self.out = out
        self.reporter = reporter
        self.target: Outbound | None = None
        """Where this phone's packets go: the other leg's stream, or None."""
        self.proof_failed = False
        self._row_packets = 0
        self._row_samples = 0

    def row(self) -> TapRow:
        """Return the leg's row, and begin a new interval for its flags and level."""
        leg, mixer = self.leg, self.out.mixer
        flags = wire.ROW_HELD if leg.held else 0
        if leg.packets > self._row_packets:
            flags |= wire.ROW_PRESENT
        if mixer.samples > self._row_samples:
            flags |= wire.ROW_WHISPERED
        self._row_packets, self._row_samples = leg.packets, mixer.samples
        level = round(100 * mixer.level_dbfs())
        return TapRow(leg.id, leg.packets, leg.lost, mixer.samples, min(M16, leg.jitter_tenth_ms), level, flags)

    def totals(self) -> tuple[int, ...]:
        """Return the counters named by `TOTALS`."""
        out = self.out
        dropped = self.leg.dropped[: Dropped.RTCP]
        return (self.leg.packets, out.packets, out.generated, out.mixed, out.failed, out.mixer.samples, *dropped)

    def figures(self) -> dict[str, int]:
        """Return every figure of the leg."""
        leg = self.leg
        return {
            **dict(zip(TOTALS, self.totals(), strict=True)),
            "lost": leg.lost,
            "reordered": leg.reordered,
            "jitter_tenth_ms": leg.jitter_tenth_ms,
            "silent_s": leg.silent_s,
            **self.reporter.figures(),
        }
