from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from livemon.alerts.engine import AlertEngine
from livemon.alerts.thresholds import Thresholds
from livemon.talk.ports import CallCondition

EPOCH = 1_700_000_000_000


def silent(now: int, since: int = 0) -> CallCondition:
    return CallCondition(now, silence_since_ms=since, silence_cause="unexplained")


def play(engine: AlertEngine, *conditions: CallCondition) -> list[tuple[int, str, str, str]]:
    return [
        (condition.now_ms, view.rule, view.severity, view.state)
        for condition in conditions
        for view in engine.feed("c", condition, EPOCH + condition.now_ms)
    ]


def test_an_alert_rises_under_one_id_and_is_cleared_once() -> None:
    engine = AlertEngine()
    views = []
    for now in range(0, 25_000, 100):
        views += engine.feed("c", silent(now), EPOCH + now)
    assert [(view.severity, view.value_ms) for view in views] == [
        ("warn", 5000),
        ("alert", 10_000),
        ("critical", 20_000),
    ]
    assert len({view.id for view in views}) == 1
    assert (views[0].since_ms, views[0].raised_at_ms) == (EPOCH, EPOCH + 5000)
    assert engine.alerts("c") == engine.alerts() == [views[-1]]
    cleared = engine.feed("c", CallCondition(25_000), EPOCH + 25_000)
    assert [(view.id, view.state, view.cleared_at_ms) for view in cleared] == [(views[0].id, "cleared", EPOCH + 25_000)]
    assert engine.feed("c", CallCondition(25_100), EPOCH + 25_100) == []
    assert engine.alerts() == engine.alerts("c") == []


def test_another_silence_is_another_alert() -> None:
    engine = AlertEngine()
    log = play(engine, silent(6000), silent(13_000, since=7000))
    assert log == [
        (6000, "dead_air", "warn", "raised"),
        (13_000, "dead_air", "warn", "cleared"),
        (13_000, "dead_air", "warn", "raised"),
    ]


def test_a_slewed_start_is_the_same_silence() -> None:
    assert len(play(AlertEngine(), silent(6000), silent(6100, since=150))) == 1


def test_talk_over_survives_a_breath_but_not_two_seconds() -> None:
    engine = AlertEngine()
    over = CallCondition(4000, talkover_since_ms=1000, talkover_until_ms=4000)
    again = CallCondition(7500, talkover_since_ms=4400, talkover_until_ms=7450)
    log = play(engine, over, CallCondition(4500), CallCondition(5900), again, CallCondition(9400), CallCondition(9500))
    assert log == [(4000, "talk_over", "alert", "raised"), (9500, "talk_over", "alert", "cleared")]


def test_severity_does_not_fall_while_an_alert_lives() -> None:
    engine = AlertEngine()
    assert play(engine, silent(12_000)) == [(12_000, "dead_air", "alert", "raised")]
    assert engine.feed("c", silent(12_100), EPOCH + 12_100, Thresholds(dead_air_alert_ms=15_000)) == []
    assert engine.alerts()[0].severity == "alert"


def test_the_end_of_a_call_clears_everything() -> None:
    engine = AlertEngine()
    both = CallCondition(70_000, silence_since_ms=0, silence_cause="unexplained", hold_since_ms=0)
    assert len(play(engine, both)) == 2
    assert sorted(play(engine, CallCondition(70_100, ended=True))) == [
        (70_100, "dead_air", "critical", "cleared"),
        (70_100, "hold", "warn", "cleared"),
    ]
    assert play(engine, both)[0][3] == "raised"
    assert [view.state for view in engine.forget("c", EPOCH)] == ["cleared", "cleared"]
    assert engine.forget("c", EPOCH) == []


def test_calls_are_apart() -> None:
    engine = AlertEngine()
    first = engine.feed("a", silent(6000), EPOCH)[0]
    second = engine.feed("b", silent(6000), EPOCH)[0]
    assert first.id != second.id
    assert engine.feed("a", CallCondition(6100), EPOCH)[0].id == first.id
    assert engine.alerts() == [second]


@given(st.lists(st.tuples(st.integers(20, 4000), st.booleans(), st.booleans()), max_size=60))
def test_raised_and_cleared_alternate(moves: list[tuple[int, bool, bool]]) -> None:
    engine = AlertEngine()
    live: dict[str, str] = {}
    now = since = 0
    for length, silence, held in moves:
        now += length
        if not silence:
            since = now
        condition = CallCondition(
            now,
            silence_since_ms=since if silence else None,
            silence_cause="unexplained" if silence else "",
            hold_since_ms=0 if held else None,
        )
        for view in engine.feed("c", condition, EPOCH + now):
            if view.state == "cleared":
                assert live.pop(view.rule) == view.id
            else:
                assert live.setdefault(view.rule, view.id) == view.id
    assert {view.rule: view.id for view in engine.alerts()} == live
