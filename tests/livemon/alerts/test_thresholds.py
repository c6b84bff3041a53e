from __future__ import annotations

from livemon.alerts.thresholds import Thresholds
from livemon.bus.messages import QueueEntry


def test_a_queue_overrides_only_what_it_sets() -> None:
    limits = Thresholds.for_queue(QueueEntry("q", "Queue", dead_air_warn_ms=3000, hold_alert_ms=90_000))
    assert limits == Thresholds(dead_air_warn_ms=3000, hold_alert_ms=90_000)
    assert Thresholds.for_queue(None) == Thresholds()
    assert Thresholds.for_queue(QueueEntry("q", "Queue", dead_air_critical_ms=0)).dead_air_critical_ms == 0
