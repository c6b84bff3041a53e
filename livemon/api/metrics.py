"""Figures for Prometheus, read from the live state when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from livemon.api.feed.hub import FeedHub
from livemon.api.importer import Importer

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class LiveFigures(Collector):
    """Collects from the feed and the importer; no figure is kept twice."""

    def __init__(self, feed: FeedHub, importer: Importer, connected: Callable[[], bool]) -> None:
        self._feed = feed
        self._importer = importer
        self._connected = connected

    def collect(self) -> Iterable[Metric]:
        """Yield every figure as it is now."""
        world = self._feed.world
        yield _gauge("livemon_calls_active", "Live interactions.", len(world.calls))
        yield _gauge("livemon_sessions_active", "Open listening sessions.", world.sessions)
        yield _gauge("livemon_alerts_active", "Alerts that are raised.", world.alerts)
        yield _gauge("livemon_feed_pages", "Pages connected to the feed.", len(self._feed))
        yield _gauge("livemon_nodes_stale", "Nodes that were not heard of for some seconds.", len(world.stale))
        yield _gauge("livemon_bus_connected", "1 while the bus between the processes is there.", self._connected())
        yield _counter("livemon_proof_mismatches", "Packets that failed the run-time proof.", world.proof_mismatches)
        yield _counter("livemon_feed_cut", "Pages cut because they did not read.", self._feed.cut)
        yield _counter("livemon_audit_import_refused", "Imports stopped by a broken chain.", self._importer.refused)
        late = GaugeMetricFamily("livemon_node_tick_late_ms", "How late a node's 20 ms clock ran.", labels=["node"])
        counters: dict[str, CounterMetricFamily] = {}
        for name, node in world.nodes.items():
            if node.health is None:
                continue
            late.add_metric([name], node.health.tick_late_ms)
            for key, value in node.health.counters.items():
                clean = "livemon_node_" + re.sub(r"[^a-z0-9_]", "_", key.lower()).removesuffix("_total")
                family = counters.setdefault(clean, CounterMetricFamily(clean, "Counted by a node.", labels=["node"]))
                family.add_metric([name], value)
        yield late
        yield from counters.values()


class Metrics:
    """One registry per web process."""

    def __init__(self, figures: LiveFigures) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(figures)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)
