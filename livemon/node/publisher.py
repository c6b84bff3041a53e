"""What the node publishes on `calls.<node>`: numbered changes, and complete states on request (core)."""

from __future__ import annotations

from collections.abc import Iterable

from livemon.bus.messages import AlertView, CallFigures, CallView, NodeUpdate, Spurt


class Publisher:
    """Collects changes until they are due; what a slow bus loses is mended by a snapshot with the same numbers."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._seq = 0
        self._calls: dict[str, CallView] = {}
        self._gone: dict[str, None] = {}
        self._alerts: dict[str, AlertView] = {}

    @property
    def urgent(self) -> bool:
        """Whether something waits that pages show at once."""
        return bool(self._calls or self._gone or self._alerts)

    def changed(self, view: CallView) -> None:
        """Take note of a call's new view; only the newest goes out."""
        self._gone.pop(view.id, None)
        self._calls[view.id] = view

    def gone(self, call: str) -> None:
        """Take note that a call is gone."""
        self._calls.pop(call, None)
        self._gone[call] = None

    def alert(self, alert: AlertView) -> None:
        """Take note of an alert that was raised, escalated or cleared."""
        self._alerts[alert.id] = alert

    def update(self, now_ms: int, figures: Iterable[CallFigures] = (), spurts: Iterable[Spurt] = ()) -> NodeUpdate:
        """Return the next update with everything that waits."""
        self._seq += 1
        made = NodeUpdate(
            self._node,
            self._seq,
            now_ms,
            False,
            tuple(self._calls.values()),
            tuple(self._gone),
            tuple(figures),
            tuple(spurts),
            tuple(self._alerts.values()),
        )
        self._calls.clear()
        self._gone.clear()
        self._alerts.clear()
        return made

    def snapshot(
        self,
        now_ms: int,
        calls: Iterable[CallView],
        figures: Iterable[CallFigures],
        spurts: Iterable[Spurt],
        alerts: Iterable[AlertView],
    ) -> NodeUpdate:
        """Return the complete state as of the update sent last; what waits will come again, which does no harm."""
        return NodeUpdate(
            self._node, self._seq, now_ms, True, tuple(calls), (), tuple(figures), tuple(spurts), tuple(alerts)
        )
