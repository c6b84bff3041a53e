"""Builders of the bus messages that describe live calls, and a page that replays the feed."""

from __future__ import annotations

from typing import Any

import msgspec

from livemon.bus.messages import AlertView, CallFigures, CallView, NodeHealth, NodeUpdate, Principal

NOW_MS = 1_760_000_000_000
"""The epoch time at which the calls of the builders started."""

SUPERVISOR = Principal("u1", "Sue", "supervisor", ("view", "listen", "whisper"), False, None, None)


def call(id_: str = "c1", **changes: Any) -> CallView:
    """Return a live call of team blue, queue sales."""
    view = CallView(
        id=id_,
        segment=f"{id_}-s1",
        node="node-0",
        bridge="b1",
        trunk="pbx",
        placement="station",
        direction="inbound",
        state="talking",
        hold_by="",
        agent_id="a1",
        agent_name="Anna",
        agent_number="201",
        team="blue",
        team_name="Blue",
        queue="sales",
        queue_name="Sales",
        customer="+4930...",
        started_at_ms=NOW_MS,
        answered_at_ms=NOW_MS + 2000,
        state_since_ms=NOW_MS + 2000,
        capabilities=("listen", "whisper"),
        refused={},
        listeners=0,
        modes=(),
        proof_failures=0,
        agent_leg=1,
        customer_leg=2,
    )
    return msgspec.structs.replace(view, **changes)


def figures(id_: str = "c1", **changes: Any) -> CallFigures:
    """Return the numbers of a call in which nobody has spoken."""
    row = CallFigures(id_, 0, "", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -96.0, -96.0, 0, 0)
    return msgspec.structs.replace(row, **changes)


def alert(id_: str = "x1", call_id: str = "c1", **changes: Any) -> AlertView:
    """Return a raised dead-air alert."""
    view = AlertView(id_, call_id, "dead_air", "alert", "raised", NOW_MS + 12_000, NOW_MS + 2000, 10_000)
    return msgspec.structs.replace(view, **changes)


def update(seq: int, node: str = "node-0", *, full: bool = False, now_ms: int = NOW_MS, **parts: Any) -> NodeUpdate:
    """Return what a node publishes."""
    return NodeUpdate(node, seq, now_ms, full, **parts)


def health(node: str = "node-0", **changes: Any) -> NodeHealth:
    """Return a node's sign of life."""
    return msgspec.structs.replace(NodeHealth(node, NOW_MS, ("b1",), 1, 0, 0.0, {}), **changes)


class Page:
    """Replays the feed as `docs/feed-protocol.md` says a page must; `gone` is applied before `calls`."""

    def __init__(self) -> None:
        self.n = 0
        self.calls: dict[str, dict[str, Any]] = {}
        self.figures: dict[int, list[Any]] = {}
        self.spurts: dict[tuple[int, int, int], list[Any]] = {}
        self.alerts: dict[str, dict[str, Any]] = {}
        self.nodes: list[Any] = []
        self.stale: list[str] = []

    def feed(self, frame: bytes) -> None:
        """Apply a snapshot or a delta; a gap in the numbers is an error of the server here."""
        message = msgspec.json.decode(frame)
        if message["type"] == "snapshot":
            self.__init__()  # type: ignore[misc]
        else:
            assert message["n"] == self.n + 1
        self.n = message["n"]
        for id_ in message.get("gone", ()):
            self._drop(id_)
        for view in message.get("calls", ()):
            self.calls[view["id"]] = view
        for row in message.get("figures", ()):
            self.figures[row[0]] = row
        for row in message.get("spurts", ()):
            self.spurts[row[0], row[1], row[2]] = row
        for view in message.get("alerts", ()):
            self.alerts[view["id"]] = view
            if view["state"] == "cleared":
                del self.alerts[view["id"]]
        self.nodes = message.get("nodes", self.nodes)
        self.stale = message.get("stale", self.stale)

    def state(self, edge_ms: int = 0) -> dict[str, Any]:
        """Return everything the page shows; closed spurts that ended before `edge_ms` (epoch) are not shown."""
        starts = {view["index"]: view["started_at_ms"] for view in self.calls.values()}
        return {
            "calls": self.calls,
            "figures": self.figures,
            "spurts": {key: row for key, row in self.spurts.items() if row[4] or starts[row[0]] + row[3] >= edge_ms},
            "alerts": self.alerts,
            "nodes": self.nodes,
            "stale": self.stale,
        }

    def _drop(self, id_: str) -> None:
        view = self.calls.pop(id_, None)
        if view is None:
            return
        index = view["index"]
        self.figures.pop(index, None)
        self.spurts = {key: row for key, row in self.spurts.items() if key[0] != index}
        self.alerts = {key: row for key, row in self.alerts.items() if row["call"] != id_}
