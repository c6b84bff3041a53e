from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.live_calls import alert, call
from tests.web_site import Site, site, until


async def figures(made: Site) -> dict[str, float]:
    answer = await made.client().get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        sample.name: sample.value for family in text_string_to_metric_families(answer.text) for sample in family.samples
    }


async def test_a_live_process_says_so_and_a_ready_one_too(made: Site) -> None:
    assert (await made.client().get("/healthz")).json() == {"ok": True, "checks": {}}
    assert (await made.client().get("/readyz")).json() == {"ok": True, "checks": {"database": True, "bus": True}}


async def test_without_the_bus_it_lives_but_is_not_ready(made: Site) -> None:
    await made.web.bus.close()
    answer = await made.client().get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"database": True, "bus": False})
    assert (await made.client().get("/healthz")).status_code == 200


async def test_figures_follow_the_live_state(made: Site) -> None:
    made.node.publish(calls=(call(proof_failures=2),), alerts=(alert(),))
    made.node.alive(sessions=3, tick_late_ms=1.5, counters={"Tap lost_total": 7})
    await until(lambda: made.web.feed.world.sessions == 3)
    found = await figures(made)
    assert found["livemon_calls_active"] == 2
    assert found["livemon_sessions_active"] == 3
    assert found["livemon_alerts_active"] == 1
    assert found["livemon_proof_mismatches_total"] == 2
    assert found["livemon_bus_connected"] == 1
    assert found["livemon_node_tap_lost_total"] == 7
    assert found["livemon_node_tick_late_ms"] == 1.5


@pytest.mark.parametrize(
    ("remote", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("10.0.0.1", 403), ("unknown", 403)],
)
async def test_figures_are_for_the_configured_networks(made: Site, remote: str, status: int) -> None:
    assert (await made.client(remote=remote).get("/metrics")).status_code == status


async def test_other_networks_can_be_let_in(tmp_path: Path) -> None:
    async with site(tmp_path, metrics_from=("10.0.0.0/8",)) as made:
        assert (await made.client(remote="10.9.9.9").get("/metrics")).status_code == 200
