from __future__ import annotations

import pytest

from livemon.alerts.rules import Finding, dead_air, hold, interruptions, talk_over
from livemon.alerts.thresholds import Thresholds
from livemon.talk.causes import PRIORITY
from livemon.talk.ports import CallCondition, Cause

LIMITS = Thresholds()


@pytest.mark.parametrize(
    ("length", "finding"),
    [
        (4999, None),
        (5000, Finding("warn", 1000, 5000)),
        (9999, Finding("warn", 1000, 9999)),
        (10_000, Finding("alert", 1000, 10_000)),
        (20_000, Finding("critical", 1000, 20_000)),
    ],
)
def test_dead_air_by_length(length: int, finding: Finding | None) -> None:
    condition = CallCondition(1000 + length, silence_since_ms=1000, silence_cause="unexplained")
    assert dead_air(condition, LIMITS) == finding


@pytest.mark.parametrize("cause", PRIORITY)
def test_an_explained_silence_is_no_dead_air(cause: Cause) -> None:
    condition = CallCondition(60_000, silence_since_ms=0, silence_cause=cause)
    assert (dead_air(condition, LIMITS) is not None) == (cause == "agent_muted")
    assert dead_air(CallCondition(60_000), LIMITS) is None


@pytest.mark.parametrize(
    ("length", "severity"), [(59_999, None), (60_000, "warn"), (119_999, "warn"), (120_000, "alert")]
)
def test_hold_by_length(length: int, severity: str | None) -> None:
    finding = hold(CallCondition(500 + length, hold_since_ms=500), LIMITS)
    assert (finding.severity if finding else None) == severity
    assert hold(CallCondition(500), LIMITS) is None


def test_talk_over_counts_what_is_confirmed() -> None:
    assert talk_over(CallCondition(9000, talkover_since_ms=1000, talkover_until_ms=3999), LIMITS) is None
    assert talk_over(CallCondition(4100, talkover_since_ms=1000, talkover_until_ms=4000), LIMITS) == Finding(
        "alert", 1000, 3000
    )
    assert talk_over(CallCondition(9000), LIMITS) is None


def test_interruptions_are_counted() -> None:
    assert interruptions(CallCondition(9000, interruptions_ms=(1, 2)), LIMITS) is None
    assert interruptions(CallCondition(9000, interruptions_ms=(1, 2, 3)), LIMITS) == Finding("alert", 1, 3)
