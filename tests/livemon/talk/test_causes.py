from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from livemon.talk.causes import FOREVER, PRIORITY, Causes
from livemon.talk.ports import Cause


def test_time_is_cut_where_the_cause_changes() -> None:
    causes = Causes()
    causes.begin("hold", 1000)
    assert causes.end("hold", 3000)
    causes.add("network", 2500, 4000, "1")
    assert causes.split(0, 5000) == [
        (0, 1000, "unexplained"),
        (1000, 3000, "hold"),
        (3000, 4000, "network"),
        (4000, 5000, "unexplained"),
    ]
    assert causes.split(5000, 6000) == [(5000, 6000, "unexplained")]
    assert causes.split(6000, 6000) == []


def test_a_second_begin_is_the_same_cause_and_an_end_without_begin_is_none() -> None:
    causes = Causes()
    causes.begin("hold", 1000)
    causes.begin("hold", 2000)
    assert not causes.end("music", 1500)
    causes.begin("no_packets", 1200, "1")
    causes.begin("no_packets", 1300, "2")
    causes.cancel("no_packets", "2")
    assert [(i.start, i.end, i.cause) for i in causes.intervals] == [
        (1000, FOREVER, "hold"),
        (1200, FOREVER, "no_packets"),
    ]
    causes.end("hold", 500)
    assert causes.intervals[0].end == 1000


def test_empty_intervals_are_not_kept_and_old_ones_go() -> None:
    causes = Causes()
    causes.add("network", 5, 5)
    causes.add("network", 10, 20)
    causes.begin("hold", 0)
    causes.prune(20)
    assert [i.cause for i in causes.intervals] == ["hold"]


@given(
    st.lists(st.tuples(st.sampled_from(PRIORITY), st.integers(0, 100), st.integers(0, 100)), max_size=12),
    st.integers(0, 60),
    st.integers(60, 120),
)
def test_parts_are_adjoining_and_each_has_the_strongest_cause(
    intervals: list[tuple[Cause, int, int]], start: int, end: int
) -> None:
    causes = Causes()
    for cause, a, b in intervals:
        causes.add(cause, a, b)
    parts = causes.split(start, end)
    assert sum(b - a for a, b, _ in parts) == end - start
    for a, b, cause in parts:
        for at in range(a, b):
            holding = [c for c, x, y in intervals if x <= at < y]
            assert cause == min(holding, key=PRIORITY.index, default="unexplained")
