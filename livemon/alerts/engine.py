"""The life of alerts: raised, escalated under the same id, cleared; never twice for the same thing.

    (none) --rule holds--> raised --worse--> raised, higher severity --rule no longer holds--> cleared

Severity only rises while an alert lives. `feed` is due ten times a second per call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from livemon.alerts.rules import RULES, Finding, Rule
from livemon.alerts.thresholds import Thresholds
from livemon.bus.messages import AlertView, Severity
from livemon.talk.ports import CallCondition

_ORDER: Final[dict[Severity, int]] = {"warn": 0, "alert": 1, "critical": 2}
_DEFAULTS: Final = Thresholds()
_SAME_MS: Final = 250
"""Starts of one silence move by less than this while its clock is slewed; a new one needs at least a 0.3 s pause."""


@dataclass(slots=True)
class _Live:
    view: AlertView
    held_ms: int
    """Time of the call at which the rule last held."""


class AlertEngine:
    """The alerts of all calls of one node; ids are unique per node and call."""

    def __init__(self) -> None:
        self._live: dict[str, dict[Rule, _Live]] = {}
        self._count = 0

    def feed(
        self, interaction: str, state: CallCondition, now_ms: int, thresholds: Thresholds = _DEFAULTS
    ) -> list[AlertView]:
        """Judge one call and return the alerts that were raised, escalated or cleared; `now_ms` is epoch ms."""
        live = self._live.get(interaction, {})
        out: list[AlertView] = []
        for rule, judge in RULES.items():
            finding = None if state.ended else judge(state, thresholds)
            alert = live.get(rule)
            if finding is not None:
                out += self._holds(interaction, rule, finding, state, now_ms)
            elif alert is not None and (state.ended or self._over(rule, alert, state, thresholds)):
                out.append(self._clear(interaction, rule, now_ms))
        return out

    def alerts(self, interaction: str | None = None) -> list[AlertView]:
        """Return the live alerts of one call, or of all."""
        calls = self._live.values() if interaction is None else [self._live.get(interaction, {})]
        return [alert.view for live in calls for alert in live.values()]

    def forget(self, interaction: str, now_ms: int) -> list[AlertView]:
        """Clear everything of a call that is gone."""
        return [self._clear(interaction, rule, now_ms) for rule in list(self._live.get(interaction, {}))]

    def _holds(
        self, interaction: str, rule: Rule, finding: Finding, state: CallCondition, now_ms: int
    ) -> list[AlertView]:
        out: list[AlertView] = []
        alert = self._live.get(interaction, {}).get(rule)
        since = now_ms - state.now_ms + finding.since_ms
        if alert is not None and rule == "dead_air" and abs(alert.view.since_ms - since) > _SAME_MS:
            # Somebody spoke between two looks: this is another silence.
            out.append(self._clear(interaction, rule, now_ms))
            alert = None
        if alert is None:
            return [*out, self._raise(interaction, rule, finding, since, state, now_ms)]
        alert.held_ms = state.now_ms
        if _ORDER[finding.severity] > _ORDER[alert.view.severity]:
            alert.view = msgspec.structs.replace(alert.view, severity=finding.severity, value_ms=finding.value_ms)
            return [alert.view]
        return []

    def _raise(
        self, interaction: str, rule: Rule, finding: Finding, since: int, state: CallCondition, now_ms: int
    ) -> AlertView:
        self._count += 1
        view = AlertView(
            id=f"{interaction}:{rule}:{finding.since_ms}:{self._count}",
            call=interaction,
            rule=rule,
            severity=finding.severity,
            state="raised",
            raised_at_ms=now_ms,
            since_ms=since,
            value_ms=finding.value_ms,
        )
        self._live.setdefault(interaction, {})[rule] = _Live(view, state.now_ms)
        return view

    def _over(self, rule: Rule, alert: _Live, state: CallCondition, thresholds: Thresholds) -> bool:
        # Hysteresis: an overlap that breathes for a moment is the same talk-over; silence and hold end at once.
        return rule != "talk_over" or state.now_ms - alert.held_ms >= thresholds.talk_over_clear_ms

    def _clear(self, interaction: str, rule: Rule, now_ms: int) -> AlertView:
        live = self._live[interaction]
        view = live.pop(rule).view
        if not live:
            del self._live[interaction]
        return msgspec.structs.replace(view, state="cleared", cleared_at_ms=now_ms)
