"""Finds calls whose both phones have vanished without a BYE: no RTP from either side for minutes, and no hold."""

from __future__ import annotations

from dataclasses import dataclass

from sip_bridge.segment import Segment

FRESH = 15.0
"""Seconds a report of silence counts: media repeats it every 10 s while the silence lasts."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """A report: at `at` the leg had been silent for `seconds`."""

    at: float
    seconds: float


class Reaper:
    """Remembers the reports of silence of each leg."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._quiet: dict[int, Quiet] = {}

    def silent(self, leg: int, seconds: float, segment: Segment, now: float) -> bool:
        """Take a report; True when the call of `segment` is dead and should be hung up."""
        self._quiet[leg] = Quiet(now, seconds)
        if segment.state != "talking":
            return False
        # A hold is silent for good reason: only silence since the last change of state counts.
        since = segment.state_since_ns / 1e9
        reports = [self._quiet.get(one.leg) for one in segment.media.legs]
        return bool(reports) and all(
            report is not None and now - report.at <= FRESH and min(report.seconds, report.at - since) >= self._limit
            for report in reports
        )

    def forget(self, leg: int) -> None:
        """Drop what is known of a closed leg."""
        self._quiet.pop(leg, None)
