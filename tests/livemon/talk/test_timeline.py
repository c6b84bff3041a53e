from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.bus.messages import Spurt
from livemon.talk import timeline as module
from livemon.talk.ports import SilenceBegan, SilenceEnded
from livemon.talk.timeline import Timeline


def call(answered: int | None = 0) -> Timeline:
    line = Timeline("c")
    line.lane(1, "agent", 0)
    line.lane(2, "customer", 0)
    if answered is not None:
        line.answer(answered)
    return line


def say(line: Timeline, leg: int, start: int, end: int) -> None:
    line.opened(leg, start)
    line.grown(leg, end, end)
    line.closed(leg, end)


def read(line: Timeline, to: int) -> None:
    """Tell that both legs were read up to `to`, and settle."""
    for leg in (1, 2):
        line.grown(leg, line.state.lanes[leg].end, to)
    line.settle(to)


def test_the_past_settles_behind_open_spurts_and_unread_time() -> None:
    line = call()
    line.opened(1, 500)
    line.grown(1, 1500, 1500)
    line.grown(2, 0, 2000)
    line.settle(2000)
    assert line.state.settled == 1500
    assert line.state.ledger.agent_ms == 1000
    line.closed(1, 1500)
    read(line, 2000)
    assert line.state.settled == 2000 - module.RETRO_MS
    line.settle(1000)
    assert line.state.settled == 1900


def test_a_spurt_never_reaches_into_settled_time_or_its_own_past() -> None:
    line = call()
    say(line, 1, 100, 900)
    assert line.opened(1, 850) == 900
    line.closed(1, 950)
    read(line, 3000)
    assert line.opened(1, 2000) == 2900


def test_an_empty_spurt_leaves_no_mark() -> None:
    line = call()
    line.opened(1, 100)
    assert line.closed(1, 100) == (100, 100)
    assert line.spurts_since(-1) == []


def test_running_silence_counts_from_the_last_word_and_changes_cause() -> None:
    line = call()
    say(line, 1, 0, 1000)
    assert line.running_silence(4000) == (1000, "unexplained")
    line.hold(5000)
    assert line.running_silence(9000) == (5000, "hold")
    line.resume(20_000)
    assert line.running_silence(20_000) == (20_000, "unexplained")
    line.opened(2, 21_000)
    assert line.running_silence(21_500) is None
    assert line.state.holds == [(5000, 20_000)]


def test_silence_before_the_answer_counts_from_the_answer() -> None:
    line = call(answered=None)
    line.state.causes.begin("ringing", 0)
    assert line.running_silence(3000) == (0, "ringing")
    line.answer(4000)
    line.answer(9000)
    assert line.running_silence(5000) == (4000, "unexplained")
    assert line.state.ledger.since_ms == 4000


def test_changes_of_silence_are_told_once() -> None:
    line = call()
    assert line.tell(100) == [SilenceBegan("c", 0, "unexplained")]
    assert line.tell(200) == []
    line.hold(300)
    assert line.tell(300) == [SilenceEnded("c", 0, 300, "unexplained"), SilenceBegan("c", 300, "hold")]
    line.opened(1, 700)
    assert line.tell(800) == [SilenceEnded("c", 300, 700, "hold")]
    line.closed(1, 700)
    line.end(2000)
    assert line.tell(2100) == []


def test_a_silence_at_the_end_of_the_call_is_told_and_summed() -> None:
    line = call()
    say(line, 1, 0, 1000)
    line.tell(1500)
    line.hold(3000)
    line.end(5000)
    line.end(6000)
    assert line.tell(5000) == [SilenceEnded("c", 1000, 5000, "unexplained")]
    assert line.state.ledger.silent_ms == {"unexplained": 2000, "hold": 2000}
    assert line.state.holds == [(3000, 5000)]
    assert line.running_silence_sums(5000) == (0, 0, [])


def test_sums_of_the_silence_that_still_runs() -> None:
    line = call()
    say(line, 1, 0, 1000)
    line.hold(2000)
    line.resume(4000)
    read(line, 10_100)
    assert line.running_silence_sums(10_100) == (7000, 9000, [1000, 6000])
    assert call(answered=None).running_silence_sums(1000) == (0, 0, [])


def test_talk_over_runs_while_both_are_open() -> None:
    line = call()
    line.opened(1, 1000)
    line.grown(1, 3000, 3000)
    assert line.talkover() is None
    assert not line.maybe_both()
    line.opened(2, 2000)
    assert line.maybe_both()
    assert line.talkover() is None  # not a ms of it is confirmed
    line.grown(2, 2600, 2600)
    assert line.talkover() == (2000, 2600)


def test_spurts_for_pages() -> None:
    line = call()
    say(line, 1, 0, 1000)
    say(line, 1, 2000, 3000)
    line.opened(2, 2500)
    assert line.spurts_since(1000) == [Spurt("c", "agent", 2000, 3000, False), Spurt("c", "customer", 2500, 2500, True)]


def test_a_leg_that_left_does_not_hold_the_others_up_and_may_come_back() -> None:
    line = call()
    line.opened(1, 0)
    line.grown(1, 800, 800)
    line.leave(1)
    line.leave(99)
    line.grown(2, 0, 5000)
    line.settle(5000)
    assert line.state.settled == 4900
    assert line.state.ledger.agent_ms == 800
    line.lane(1, "third", 6000)
    assert not line.state.lanes[1].gone


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(20, 3000), st.integers(0, 3000)), max_size=30),
    st.lists(st.integers(50, 4000), min_size=1, max_size=40),
    st.integers(0, 5000),
)
def test_totals_add_up_however_the_time_line_is_settled(
    turns: list[tuple[int, int, int]], reads: list[int], answered: int
) -> None:
    """Settling in any steps gives the same sums, and they add up to the duration of the call."""
    spans: dict[int, list[tuple[int, int]]] = {1: [], 2: []}
    at = {1: 0, 2: 0}
    for leg, length, pause in turns:
        start = at[leg] + pause
        spans[leg].append((start, start + length))
        at[leg] = start + length + 1
    end = max(at.values()) + 1000
    steps = [t for t in _running_sum(reads) if t < end] + [end]
    line = call(answered)
    for now in steps:
        for leg in (1, 2):
            _replay(line, leg, spans[leg], now)
        line.settle(now)
    for leg in (1, 2):
        if line.state.lanes[leg].start >= 0:
            line.closed(leg, line.state.lanes[leg].end)
    line.end(end)
    whole = call(answered)
    for leg in (1, 2):
        for start, stop in spans[leg]:
            say(whole, leg, start, stop)
    whole.end(end)
    a, b = line.state.ledger, whole.state.ledger
    assert (a.agent_ms, a.customer_ms, a.overlap_ms, a.silent_ms) == (
        b.agent_ms,
        b.customer_ms,
        b.overlap_ms,
        b.silent_ms,
    )
    assert (a.overlaps, a.interruptions, a.latencies) == (b.overlaps, b.interruptions, b.latencies)
    total = a.agent_ms + a.customer_ms - a.overlap_ms + sum(a.silent_ms.values())
    assert total == max(0, end - answered)


def _running_sum(steps: list[int]) -> list[int]:
    out, at = [], 0
    for step in steps:
        at += step
        out.append(at)
    return out


def _replay(line: Timeline, leg: int, spans: list[tuple[int, int]], now: int) -> None:
    """Say what would be known of `spans` at `now`."""
    lane = line.state.lanes[leg]
    for start, end in spans:
        if start > now or (lane.spurts and start <= lane.spurts[-1][0]):
            continue
        if lane.start < 0:
            line.opened(leg, start)
        line.grown(leg, min(end, now), now)
        if end <= now:
            line.closed(leg, end)
    if lane.start < 0:
        line.grown(leg, 0, now)


@pytest.mark.parametrize("kept", [2])
def test_spurts_are_bounded(monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    monkeypatch.setattr(module, "KEPT_SPURTS", kept)
    line = call()
    for at in range(0, 5000, 1000):
        say(line, 1, at, at + 500)
    assert [spurt.start_ms for spurt in line.spurts_since(-1)] == [3000, 4000]


def test_hold_twice_is_one_hold_and_a_call_may_end_on_a_word() -> None:
    line = call()
    line.hold(1000)
    line.hold(2000)
    line.resume(3000)
    line.resume(4000)
    assert line.state.holds == [(1000, 3000)]
    say(line, 1, 4000, 5000)
    line.end(5000)
    assert line.state.ledger.until_ms == 5000
    assert line.state.silence_from == -1
