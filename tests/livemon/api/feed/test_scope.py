from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from livemon.api.feed.outlet import Outlet
from livemon.api.feed.scope import Encoded, ScopeView, scope_key
from livemon.api.feed.world import SPURTS_MS, World
from livemon.bus.messages import NodeUpdate, Principal, Spurt
from tests.live_calls import NOW_MS, SUPERVISOR, Page, alert, call, figures, health, update

BLUE = msgspec.structs.replace(SUPERVISOR, teams=("blue",), queues=())
ADMIN = msgspec.structs.replace(SUPERVISOR, all_calls=True)
BLIND = msgspec.structs.replace(ADMIN, rights=("listen",))


class Viewer:
    """One page with its scope, over the cores alone."""

    def __init__(self, principal: Principal, world: World) -> None:
        self.view = ScopeView(principal, world, Encoded(world))
        self.world = world
        self.outlet = Outlet()
        self.page = Page()
        self.snapshot()

    def snapshot(self) -> None:
        self.outlet.snapshot(b"{}", NOW_MS, self.view.snapshot())
        self.drain()

    def delta(self, body: bytes) -> None:
        if body:
            self.outlet.delta(NOW_MS, body)
        self.drain()

    def drain(self) -> None:
        while (frame := self.outlet.take()) is not None:
            self.page.feed(frame)


def step(world: World, *viewers: Viewer, urgent: bool = False) -> None:
    batch = world.flush(urgent)
    if batch is not None:
        for viewer in viewers:
            viewer.delta(viewer.view.delta(batch))


def test_a_page_hears_of_its_own_scope_only() -> None:
    world = World()
    blue, admin, blind = Viewer(BLUE, world), Viewer(ADMIN, world), Viewer(BLIND, world)
    parts: dict[str, Any] = {"figures": (figures(), figures("c2")), "alerts": (alert(), alert("x2", "c2"))}
    world.feed(update(1, full=True, calls=(call(), call("c2", team="red")), **parts), 0.0)
    step(world, blue, admin, blind)
    assert set(blue.page.calls) == {"c1"} and set(blue.page.alerts) == {"x1"} and len(blue.page.figures) == 1
    assert set(admin.page.calls) == {"c1", "c2"}
    assert not blind.page.calls and not blind.page.alerts and not blind.page.figures
    assert b"c2" not in blue.view.snapshot()


def test_a_call_that_changes_hands_leaves_one_scope_and_enters_the_other_whole() -> None:
    world = World()
    blue, red = Viewer(BLUE, world), Viewer(msgspec.structs.replace(BLUE, teams=("red",)), world)
    spurt = Spurt("c1", "agent", 0, 10, True)
    world.feed(update(1, full=True, calls=(call(),), figures=(figures(),), spurts=(spurt,), alerts=(alert(),)), 0.0)
    step(world, blue, red)
    world.feed(update(2, calls=(call(team="red"),)), 1.0)
    step(world, blue, red)
    assert blue.page.state() | {"nodes": []} == Page().state()
    assert set(red.page.calls) == {"c1"} and set(red.page.alerts) == {"x1"}
    assert len(red.page.figures) == 1 == len(red.page.spurts)


def test_a_figure_row_is_numbers_with_the_index_first() -> None:
    world = World()
    row = figures(silence_ms=1200, silence_cause="hold", agent_dbfs=-31.2345)
    world.feed(update(1, full=True, calls=(call(),), figures=(row,)), 0.0)
    viewer = Viewer(ADMIN, world)
    assert viewer.page.figures[0] == [0, 1200, "hold", *[0] * 10, -31.2, -96.0, 0, 0]


def test_pages_of_one_scope_share_one_encoding() -> None:
    world = World()
    world.feed(update(1, full=True, calls=(call(),)), 0.0)
    view = ScopeView(BLUE, world, Encoded(world))
    assert view.snapshot() is view.snapshot()
    other = msgspec.structs.replace(BLUE, user_id="u2", name="Other")
    assert scope_key(other) == scope_key(BLUE) != scope_key(ADMIN) != scope_key(BLIND)


ids = st.sampled_from(["c1", "c2", "c3", "c4"])
parties = st.sampled_from(["agent", "customer", "coach"])
calls = st.builds(
    lambda id_, team, state: call(id_, team=team, state=state),
    ids,
    st.sampled_from(["blue", "red"]),
    st.sampled_from(["ringing", "talking", "hold"]),
)
rows = st.builds(lambda id_, silence: figures(id_, silence_ms=silence), ids, st.integers(0, 9))
spurts = st.builds(Spurt, ids, parties, st.integers(0, 5).map(lambda n: n * 20_000), st.integers(100_001, 200_000),
                   st.booleans())  # fmt: skip
alerts = st.builds(
    lambda id_, call_id, state: alert(f"{call_id}-{id_}", call_id, state=state),
    st.integers(0, 2),
    ids,
    st.sampled_from(["raised", "cleared"]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[NodeUpdate, bool]]:
    """Draw what a node publishes: updates (some lost), full states, and whether pages are told after each."""
    out = []
    for seq in range(1, draw(st.integers(1, 12))):
        message = NodeUpdate(
            "node-0",
            seq,
            NOW_MS + seq * 15_000,
            seq == 1 or draw(st.integers(0, 6)) == 0,
            tuple(draw(st.lists(calls, max_size=3))),
            tuple(draw(st.lists(ids, max_size=1))),
            tuple(draw(st.lists(rows, max_size=3))),
            tuple(draw(st.lists(spurts, max_size=3))),
            tuple(draw(st.lists(alerts, max_size=3))),
        )
        if draw(st.integers(0, 9)):
            out.append((message, draw(st.booleans())))
    return out


@settings(max_examples=300, deadline=None)
@given(histories())
def test_replaying_deltas_equals_a_fresh_snapshot(history: list[tuple[NodeUpdate, bool]]) -> None:
    world = World()
    viewers = [Viewer(BLUE, world), Viewer(ADMIN, world)]
    now, now_ms = 0.0, NOW_MS
    for message, flush in history:
        now += 1.7
        now_ms = message.now_ms
        world.feed(message, now)
        world.health(health(sessions=message.seq % 3, now_ms=now_ms), now)
        world.tick(now + (5 if message.seq % 4 == 0 else 0))
        world.prune(now_ms)
        if flush:
            step(world, *viewers, urgent=message.seq % 3 == 0)
        if message.seq % 5 == 0:
            viewers.append(Viewer(BLUE, world))
    step(world, *viewers)
    for viewer in viewers:
        fresh = Viewer(viewer.view._principal, world)
        edge = now_ms - SPURTS_MS
        assert viewer.page.state(edge) == fresh.page.state(edge)
