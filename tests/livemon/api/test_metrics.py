from __future__ import annotations

from livemon.api.metrics import LiveFigures, Metrics
from tests.live_calls import health
from tests.web_site import Site


async def test_a_node_that_was_only_named_adds_nothing(made: Site) -> None:
    world = made.web.feed.world
    assert world.nodes["node-0"].health is None
    text = Metrics(LiveFigures(made.web.feed, made.web.importer, lambda: False)).text()
    assert b"livemon_bus_connected 0.0" in text and b'node="node-0"' not in text
    world.health(health(counters={"drops": 2}), 1.0)
    text = Metrics(LiveFigures(made.web.feed, made.web.importer, lambda: True)).text()
    assert b'livemon_node_drops_total{node="node-0"} 2.0' in text and b"livemon_bus_connected 1.0" in text
