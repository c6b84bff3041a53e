from __future__ import annotations

from typing import Any

from livemon.api.feed.world import LOST_AFTER, REUSE_AFTER, SPURTS_MS, STALE_AFTER, Batch, World
from livemon.bus.messages import CallView, Spurt
from tests.live_calls import NOW_MS, alert, call, figures, health, update


def started(*views: CallView, **parts: Any) -> World:
    world = World()
    world.feed(update(1, full=True, calls=views or (call(),), **parts), 0.0)
    return world


def flushed(world: World) -> Batch:
    batch = world.flush()
    assert batch is not None
    return batch


def test_nothing_new_is_no_batch() -> None:
    world = started()
    assert flushed(world).calls == ("c1",)
    assert world.flush() is None


def test_an_urgent_flush_leaves_figures_and_spurts_for_the_next_second() -> None:
    world = started()
    world.flush()
    spurt = Spurt("c1", "agent", 0, 500, True)
    world.feed(update(2, figures=(figures(),), spurts=(spurt,), alerts=(alert(),)), 1.0)
    urgent = world.flush(urgent=True)
    assert urgent is not None and [view.id for view in urgent.alerts] == ["x1"]
    assert (urgent.figures, urgent.spurts) == ((), ())
    later = flushed(world)
    assert (later.figures, later.spurts, later.alerts) == (("c1",), (spurt,), ())


def test_a_node_that_is_met_in_the_middle_is_asked_for_everything() -> None:
    world = World()
    world.feed(update(7, calls=(call(),)), 0.0)
    assert world.wants_snapshot == {"node-0"} and not world.calls
    world.feed(update(7, full=True, calls=(call(),)), 0.1)
    world.feed(update(8, calls=(call("c2"),)), 0.2)
    assert world.wants_snapshot == set() and set(world.calls) == {"c1", "c2"}


def test_a_lost_message_is_noticed_and_nothing_is_built_on_it() -> None:
    world = started()
    world.feed(update(3, gone=("c1",)), 1.0)
    assert world.wants_snapshot == {"node-0"} and set(world.calls) == {"c1"}


def test_a_restarted_node_that_counts_from_one_is_asked_too() -> None:
    world = started()
    world.feed(update(2), 1.0)
    world.feed(update(1, calls=(call("c2"),)), 2.0)
    assert world.wants_snapshot == {"node-0"}


def test_a_sign_of_life_of_an_unknown_node_asks_for_its_state() -> None:
    world = World()
    world.health(health(sessions=3), 0.0)
    assert world.wants_snapshot == {"node-0"} and world.sessions == 3
    assert flushed(world).nodes
    world.health(health(sessions=3), 1.0)
    assert world.flush() is None


def test_a_full_state_ends_the_calls_it_does_not_name_and_clears_their_alerts() -> None:
    world = started(call(), call("c2"), alerts=(alert(), alert("x2", "c2")))
    world.flush()
    world.feed(update(5, full=True, calls=(call("c2"),)), 1.0)
    batch = flushed(world)
    assert batch.gone == ("c1",)
    assert [(view.id, view.state, view.cleared_at_ms) for view in batch.alerts] == [("x2", "cleared", NOW_MS)]
    assert world.alerts == 0


def test_a_full_state_leaves_the_calls_of_other_nodes() -> None:
    world = started()
    world.feed(update(1, "node-1", full=True, calls=(call("c2", node="node-1"),)), 0.0)
    world.feed(update(2, full=True), 0.0)
    assert set(world.calls) == {"c2"}


def test_a_call_that_moved_to_another_node_is_not_ended_by_the_first() -> None:
    world = started()
    world.feed(update(1, "node-1", full=True, calls=(call(node="node-1"),)), 0.0)
    world.feed(update(2, gone=("c1",)), 0.1)
    assert world.calls["c1"].view.node == "node-1"


def test_an_ended_call_goes_to_the_history_with_its_segments_and_cause() -> None:
    world = started(call(), call("c2", answered_at_ms=None))
    world.feed(update(2, calls=(call(segment="c1-s2"),)), 1.0)
    world.feed(update(3, now_ms=NOW_MS + 60_000, gone=("c1", "c2", "never")), 2.0)
    first, second = world.ended
    assert (first.id, first.segments, first.end_cause) == ("c1", ("c1-s1", "c1-s2"), "hung_up")
    assert (first.ended_at_ms, second.end_cause) == (NOW_MS + 60_000, "not_answered")


def test_what_ends_before_it_was_sent_leaves_no_trace_but_its_end() -> None:
    spurt = Spurt("c1", "agent", 0, 100, True)
    world = started(figures=(figures(),), spurts=(spurt,), alerts=(alert(),))
    world.feed(update(2, gone=("c1",)), 1.0)
    assert flushed(world) == Batch((), ("c1",), (), (), (), True, False)


def test_a_cleared_alert_is_told_once_and_one_never_raised_not_at_all() -> None:
    world = started(alerts=(alert(), alert("x9", "no such call")))
    assert world.urgent and world.alerts == 1
    assert [view.id for view in flushed(world).alerts] == ["x1"]
    assert not world.urgent
    world.feed(update(2, alerts=(alert(state="cleared"), alert("x2", state="cleared"))), 1.0)
    assert [(view.id, view.state) for view in flushed(world).alerts] == [("x1", "cleared")]
    world.feed(update(3, alerts=(alert(state="cleared"),)), 1.0)
    assert world.flush() is None


def test_an_alert_that_is_repeated_unchanged_is_no_news() -> None:
    world = started(alerts=(alert(),))
    world.flush()
    world.feed(update(2, alerts=(alert(),)), 1.0)
    assert not world.urgent and world.alerts == 1


def test_figures_and_spurts_of_unknown_calls_are_ignored() -> None:
    world = started()
    world.flush()
    world.feed(update(2, figures=(figures("c9"),), spurts=(Spurt("c9", "agent", 0, 1, True),)), 1.0)
    assert world.flush() is None


def test_old_closed_spurts_are_forgotten_and_open_ones_kept() -> None:
    spurts = (Spurt("c1", "agent", 0, 500, False), Spurt("c1", "customer", 0, 500, True))
    world = started(spurts=spurts)
    world.prune(NOW_MS + SPURTS_MS + 500)
    assert len(world.calls["c1"].spurts) == 2
    world.prune(NOW_MS + SPURTS_MS + 501)
    assert [spurt.party for spurt in world.calls["c1"].spurts.values()] == ["customer"]
    world.feed(update(2, now_ms=NOW_MS + SPURTS_MS + 501, spurts=spurts[:1]), 1.0)
    assert len(world.calls["c1"].spurts) == 1


def test_a_silent_node_is_stale_within_three_seconds_and_back_at_its_first_word() -> None:
    world = started()
    world.flush()
    world.tick(STALE_AFTER)
    assert not world.stale and world.flush() is None
    world.tick(STALE_AFTER + 0.25)
    assert world.stale == ("node-0",) and world.urgent and STALE_AFTER + 0.25 <= 3
    assert flushed(world).stale
    world.health(health(), 4.0)
    world.tick(4.0)
    assert not world.stale and flushed(world).stale


def test_the_calls_of_a_node_that_never_returns_are_given_up_as_lost() -> None:
    world = started()
    world.health(health(now_ms=NOW_MS + 9000), 1.0)
    world.tick(1.0 + LOST_AFTER + 0.1)
    assert not world.calls and not world.nodes and world.stale == ()
    assert [(past.end_cause, past.ended_at_ms) for past in world.ended] == [("lost", NOW_MS + 9000)]


def test_a_node_lost_without_a_word_of_its_health_ends_its_calls_at_their_start() -> None:
    world = started()
    world.tick(LOST_AFTER + 0.1)
    assert world.ended[0].ended_at_ms == NOW_MS


def test_an_index_rests_before_it_is_used_again() -> None:
    world = started(call(), call("c2"))
    world.feed(update(2, gone=("c1",)), 10.0)
    world.feed(update(3, calls=(call("c3"),)), 10.0 + REUSE_AFTER - 0.1)
    world.feed(update(4, calls=(call("c4"),)), 10.0 + REUSE_AFTER)
    assert {id_: live.index for id_, live in world.calls.items()} == {"c2": 1, "c3": 2, "c4": 0}


def test_proof_mismatches_are_counted_up_only() -> None:
    world = started(call(proof_failures=2))
    world.feed(update(2, calls=(call(proof_failures=3),)), 1.0)
    world.feed(update(3, calls=(call(proof_failures=0),)), 2.0)
    assert world.proof_mismatches == 3
