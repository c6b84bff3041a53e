"""The alert rules: each looks at a call's condition and says how bad it is, if at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from livemon.alerts.thresholds import Thresholds
from livemon.bus.messages import Severity
from livemon.talk.ledger import HEARD
from livemon.talk.ports import CallCondition

Rule = Literal["dead_air", "talk_over", "hold", "interruptions"]


class Finding(NamedTuple):
    """A rule that holds: how bad, since when (ms of the call), and the value that crossed the threshold."""

    severity: Severity
    since_ms: int
    value_ms: int


def dead_air(condition: CallCondition, limits: Thresholds) -> Finding | None:
    """Nobody speaks and nothing explains it: never over hold, ringing, music, network, missing packets, tap loss."""
    if condition.silence_since_ms is None or condition.silence_cause not in HEARD:
        return None
    length = condition.now_ms - condition.silence_since_ms
    steps: tuple[tuple[int, Severity], ...] = (
        (limits.dead_air_critical_ms, "critical"),
        (limits.dead_air_alert_ms, "alert"),
        (limits.dead_air_warn_ms, "warn"),
    )
    return _worst(steps, length, condition.silence_since_ms)


def hold(condition: CallCondition, limits: Thresholds) -> Finding | None:
    """The call has been on hold for long."""
    if condition.hold_since_ms is None:
        return None
    length = condition.now_ms - condition.hold_since_ms
    steps: tuple[tuple[int, Severity], ...] = ((limits.hold_alert_ms, "alert"), (limits.hold_warn_ms, "warn"))
    return _worst(steps, length, condition.hold_since_ms)


def talk_over(condition: CallCondition, limits: Thresholds) -> Finding | None:
    """Agent and customer speak at the same time for long, without a break."""
    since, until = condition.talkover_since_ms, condition.talkover_until_ms
    if since is None or until is None or until - since < limits.talk_over_ms:
        return None
    return Finding("alert", since, until - since)


def interruptions(condition: CallCondition, limits: Thresholds) -> Finding | None:
    """Many interruptions, by either side, within the last 60 s; the value is their number."""
    count = len(condition.interruptions_ms)
    if count < limits.interruptions:
        return None
    return Finding("alert", condition.interruptions_ms[0], count)


def _worst(steps: tuple[tuple[int, Severity], ...], length: int, since: int) -> Finding | None:
    for limit, severity in steps:
        if length >= limit:
            return Finding(severity, since, length)
    return None


RULES: Final[dict[Rule, Callable[[CallCondition, Thresholds], Finding | None]]] = {
    "dead_air": dead_air,
    "hold": hold,
    "talk_over": talk_over,
    "interruptions": interruptions,
}
