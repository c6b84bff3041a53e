"""Everything that is live on all nodes, and what changed since the last flush (core, no I/O, no clock).

`now` is monotonic seconds; every *_ms is UTC or counts from the interaction's start, as in `bus/messages.py`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from livemon.bus.messages import AlertView, CallFigures, CallView, NodeHealth, NodeUpdate, PartyName, Spurt
from livemon.store.records import EndCause, PastCall

STALE_AFTER: Final = 2.5
"""Seconds without a word from a node; it speaks every second, and pages must know within 3 s of the last word."""
LOST_AFTER: Final = 120.0
"""Seconds after which the calls of a silent node are given up: longer than any restart."""
SPURTS_MS: Final = 65_000
"""How far back spurts are kept: the lanes show the last minute."""
REUSE_AFTER: Final = 5.0
"""Seconds an index rests before another call gets it: longer than the second between two deltas."""

SpurtKey = tuple[PartyName, int]


@dataclass(slots=True)
class Live:
    """One live call; `index` is its number in the feed."""

    index: int
    view: CallView
    figures: CallFigures | None = None
    spurts: dict[SpurtKey, Spurt] = field(default_factory=dict)
    alerts: dict[str, AlertView] = field(default_factory=dict)
    segments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Node:
    """One node as it was last heard of."""

    name: str
    heard: float
    seq: int = 0
    synced: bool = False
    """Whether `seq` counts from a full state."""
    health: NodeHealth | None = None


class Batch(NamedTuple):
    """What changed since the flush before: ids of calls to send whole, of those gone, and the parts of others."""

    calls: tuple[str, ...]
    gone: tuple[str, ...]
    figures: tuple[str, ...]
    spurts: tuple[Spurt, ...]
    alerts: tuple[AlertView, ...]
    nodes: bool
    stale: bool


class World:
    """The merged state of all nodes."""

    def __init__(self) -> None:
        self.calls: dict[str, Live] = {}
        self.nodes: dict[str, Node] = {}
        self.stale: tuple[str, ...] = ()
        self.version = 0
        """Counts every change; what was made from one version is good until the next."""
        self.proof_mismatches = 0
        """Mismatches of the run-time proof that were reported in this process's life."""
        self.wants_snapshot: set[str] = set()
        """Nodes whose state is not known whole; the shell asks them and clears the entry."""
        self.ended: deque[PastCall] = deque(maxlen=10_000)
        """Ended calls for the history; the shell drains it every second, so the bound is 10,000 ends a second."""
        self._free: deque[tuple[float, int]] = deque()
        self._next_index = 0
        self._clear()

    def feed(self, update: NodeUpdate, now: float) -> None:
        """Take in what a node published or answered."""
        node = self._heard(update.node, now)
        if not update.full and (not node.synced or update.seq != node.seq + 1):
            # A message was lost, or the node restarted: this one would build on something we do not have.
            node.synced = False
            self.wants_snapshot.add(update.node)
            return
        node.seq, node.synced = update.seq, True
        self.version += 1
        if update.full:
            self._replace(update, now)
        self._apply(update, now)

    def health(self, health: NodeHealth, now: float) -> None:
        """Take in a node's sign of life."""
        node = self._heard(health.node, now)
        before, node.health = node.health, health
        if before is None or _shown(before) != _shown(health):
            self.version += 1
            self._nodes = True
        if not node.synced:
            self.wants_snapshot.add(health.node)

    def tick(self, now: float) -> None:
        """Find out which nodes are silent, and give up the calls of those that are gone for good."""
        stale = tuple(sorted(name for name, node in self.nodes.items() if now - node.heard > STALE_AFTER))
        if stale != self.stale:
            self.stale = stale
            self.version += 1
            self._stale = True
        for name in stale:
            node = self.nodes[name]
            if now - node.heard > LOST_AFTER:
                self._give_up(node, now)

    def flush(self, urgent: bool = False) -> Batch | None:
        """Return what changed since the last flush, or None; `urgent` leaves figures and spurts for the next second."""
        live = self.calls
        figures, spurts = self._figure_ids, self._spurts
        batch = Batch(
            tuple(id_ for id_ in self._calls if id_ in live),
            tuple(self._gone),
            () if urgent else tuple(id_ for id_ in figures if id_ in live),
            () if urgent else tuple(spurt for key, spurt in spurts.items() if key[0] in live),
            tuple(self._alerts.values()),
            self._nodes,
            self._stale,
        )
        self._clear()
        if urgent:
            self._figure_ids.update(figures)
            self._spurts.update(spurts)
        return batch if any(batch) else None

    @property
    def urgent(self) -> bool:
        """Return whether something waits that pages must hear at once: an alert, or a node gone stale or back."""
        return bool(self._alerts) or self._stale

    def prune(self, now_ms: int) -> None:
        """Forget closed spurts that no page shows any more."""
        for live in self.calls.values():
            edge = now_ms - live.view.started_at_ms - SPURTS_MS
            old = [key for key, spurt in live.spurts.items() if not spurt.open and spurt.end_ms < edge]
            for key in old:
                del live.spurts[key]

    @property
    def sessions(self) -> int:
        """Return how many listening sessions the nodes report."""
        return sum(node.health.sessions for node in self.nodes.values() if node.health is not None)

    @property
    def alerts(self) -> int:
        """Return how many alerts are raised."""
        return sum(len(live.alerts) for live in self.calls.values())

    def _clear(self) -> None:
        self._calls: dict[str, None] = {}
        self._gone: dict[str, None] = {}
        self._figure_ids: dict[str, None] = {}
        self._spurts: dict[tuple[str, PartyName, int], Spurt] = {}
        self._alerts: dict[str, AlertView] = {}
        self._nodes = False
        self._stale = False

    def _heard(self, name: str, now: float) -> Node:
        node = self.nodes.get(name)
        if node is None:
            node = self.nodes[name] = Node(name, now)
            self._nodes = True
            self.version += 1
        node.heard = max(node.heard, now)
        return node

    def _replace(self, update: NodeUpdate, now: float) -> None:
        self.wants_snapshot.discard(update.node)
        named = {view.id for view in update.calls}
        raised = {alert.id for alert in update.alerts}
        for call_id, live in list(self.calls.items()):
            if live.view.node != update.node:
                continue
            if call_id not in named:
                self._end(call_id, update.now_ms, now)
            for alert in [alert for alert in live.alerts.values() if alert.id not in raised]:
                self._alert(msgspec.structs.replace(alert, state="cleared", cleared_at_ms=update.now_ms))

    def _apply(self, update: NodeUpdate, now: float) -> None:
        for call_id in update.gone:
            if (live := self.calls.get(call_id)) is not None and live.view.node == update.node:
                self._end(call_id, update.now_ms, now)
        for view in update.calls:
            self._call(view, now)
        for figures in update.figures:
            self._figures(figures)
        for spurt in update.spurts:
            self._spurt(spurt, update.now_ms)
        for alert in update.alerts:
            self._alert(alert)

    def _call(self, view: CallView, now: float) -> None:
        live = self.calls.get(view.id)
        known = 0 if live is None else live.view.proof_failures
        self.proof_mismatches += max(0, view.proof_failures - known)
        if live is None:
            live = self.calls[view.id] = Live(self._index(now), view)
        if view.segment not in live.segments:
            live.segments.append(view.segment)
        live.view = view
        self._calls[view.id] = None

    def _figures(self, figures: CallFigures) -> None:
        if (live := self.calls.get(figures.id)) is not None:
            live.figures = figures
            self._figure_ids[figures.id] = None

    def _spurt(self, spurt: Spurt, now_ms: int) -> None:
        live = self.calls.get(spurt.call)
        if live is None or (not spurt.open and spurt.end_ms < now_ms - live.view.started_at_ms - SPURTS_MS):
            return
        live.spurts[spurt.party, spurt.start_ms] = spurt
        self._spurts[spurt.call, spurt.party, spurt.start_ms] = spurt

    def _alert(self, alert: AlertView) -> None:
        live = self.calls.get(alert.call)
        if live is None:
            return
        known = live.alerts.pop(alert.id, None)
        if alert.state == "raised":
            live.alerts[alert.id] = alert
        elif known is None:
            return
        if known != alert:
            self._alerts[alert.id] = alert

    def _end(self, call_id: str, now_ms: int, now: float, lost: bool = False) -> None:
        live = self.calls.pop(call_id)
        self._free.append((now, live.index))
        self._gone[call_id] = None
        self._calls.pop(call_id, None)
        self._figure_ids.pop(call_id, None)
        for key in [key for key in self._spurts if key[0] == call_id]:
            del self._spurts[key]
        for alert_id in [id_ for id_, alert in self._alerts.items() if alert.call == call_id]:
            del self._alerts[alert_id]
        self.ended.append(_past(live, now_ms, lost))

    def _give_up(self, node: Node, now: float) -> None:
        ended_ms = node.health.now_ms if node.health is not None else 0
        for call_id in [id_ for id_, live in self.calls.items() if live.view.node == node.name]:
            self._end(call_id, max(ended_ms, self.calls[call_id].view.started_at_ms), now, lost=True)
        del self.nodes[node.name]
        self.stale = tuple(name for name in self.stale if name != node.name)
        self.version += 1
        self._nodes = self._stale = True

    def _index(self, now: float) -> int:
        if self._free and now - self._free[0][0] >= REUSE_AFTER:
            return self._free.popleft()[1]
        self._next_index += 1
        return self._next_index - 1


def _shown(health: NodeHealth) -> tuple[tuple[str, ...], int, int]:
    return health.bridges, health.calls, health.sessions


def _past(live: Live, ended_ms: int, lost: bool) -> PastCall:
    view = live.view
    cause: EndCause = "lost" if lost else "not_answered" if view.answered_at_ms is None else "hung_up"
    return PastCall(
        view.id,
        tuple(live.segments),
        view.node,
        view.bridge,
        view.trunk,
        view.direction,
        view.agent_id,
        view.team,
        view.queue,
        view.customer,
        view.started_at_ms,
        view.answered_at_ms,
        ended_ms,
        cause,
    )
