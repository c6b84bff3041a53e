"""When a condition becomes an alert; per queue, with the defaults of the design."""

from __future__ import annotations

import msgspec

from livemon.bus.messages import QueueEntry


class Thresholds(msgspec.Struct, frozen=True):
    """Limits in ms (counts where said). Sources: `docs/metrics.md`."""

    dead_air_warn_ms: int = 5_000
    dead_air_alert_ms: int = 10_000
    dead_air_critical_ms: int = 20_000
    hold_warn_ms: int = 60_000
    hold_alert_ms: int = 120_000
    talk_over_ms: int = 3_000
    interruptions: int = 3
    """Count within 60 s."""
    talk_over_clear_ms: int = 2_000
    """A talk-over alert stays this long after the overlap, so that it can be read and does not flicker."""

    @classmethod
    def for_queue(cls, queue: QueueEntry | None) -> Thresholds:
        """Return the defaults with what the queue overrides."""
        if queue is None:
            return cls()
        names = (
            "dead_air_warn_ms",
            "dead_air_alert_ms",
            "dead_air_critical_ms",
            "hold_warn_ms",
            "hold_alert_ms",
        )
        return cls(**{name: value for name in names if (value := getattr(queue, name)) is not None})
