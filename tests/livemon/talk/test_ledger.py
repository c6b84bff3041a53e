from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.talk import ledger as module
from livemon.talk.ledger import AGENT, BOTH, COACH, CUSTOMER, THIRD, Ledger


def fill(*stretches: tuple[int, int], since: int = 0) -> Ledger:
    """Feed (length ms, bits) one after the other; silences are unexplained."""
    ledger = Ledger(since_ms=since)
    at = 0
    silence = -1
    for length, bits in stretches:
        if bits == 0 and silence < 0:
            silence = at
        elif bits and silence >= 0:
            ledger.silence(silence, at, "unexplained")
            silence = -1
        ledger.feed(at, at + length, bits)
        at += length
    if silence >= 0:
        ledger.silence(silence, at, "unexplained")
    return ledger


def test_sums() -> None:
    ledger = fill((1000, 0), (2000, AGENT), (600, BOTH), (1400, CUSTOMER), (300, COACH), (100, THIRD | AGENT))
    assert (ledger.agent_ms, ledger.customer_ms, ledger.overlap_ms, ledger.other_ms) == (2700, 2000, 600, 300)
    assert ledger.silent_ms == {"unexplained": 1000}


def test_nothing_counts_before_the_answer() -> None:
    ledger = fill((1000, AGENT), (1000, 0), (1000, AGENT), since=1500)
    assert ledger.agent_ms == 1000
    assert ledger.silent_ms == {"unexplained": 500}
    assert ledger.greeting_ms == 500


@pytest.mark.parametrize(
    ("before", "length", "interruptions", "backchannels"),
    [
        (AGENT, 500, {}, {"customer": 1}),
        (AGENT, 501, {"customer": 1}, {}),
        (CUSTOMER, 501, {"agent": 1}, {}),
        (0, 501, {"customer": 1}, {}),
    ],
)
def test_an_overlap_belongs_to_who_started_second(
    before: int, length: int, interruptions: dict[str, int], backchannels: dict[str, int]
) -> None:
    ledger = fill((1000, before), (length, BOTH), (1000, AGENT))
    assert ledger.interruptions == interruptions
    assert ledger.backchannels == backchannels
    assert ledger.overlaps[0][:2] == (1000, 1000 + length)
    assert ledger.interruption_starts == ([1000] if interruptions else [])


def test_replies_are_gaps_and_overlapped_ones_are_zero() -> None:
    ledger = fill(
        (1000, CUSTOMER), (700, 0), (1000, AGENT), (200, 0), (1000, CUSTOMER), (600, BOTH), (800, AGENT), (900, 0)
    )
    assert ledger.latencies == {"agent": [700, 0], "customer": [200]}


def test_a_backchannel_takes_no_floor_and_a_reply_after_it_is_measured_from_the_last_word() -> None:
    ledger = fill((2000, CUSTOMER), (300, BOTH), (1000, CUSTOMER), (500, 0), (1000, AGENT))
    assert ledger.latencies == {"agent": [500]}
    assert ledger.longest_monologue_ms == {"customer": 3300, "agent": 1000}


def test_a_reply_after_a_hold_is_no_reply_time() -> None:
    ledger = Ledger()
    ledger.feed(0, 1000, CUSTOMER)
    ledger.feed(1000, 31_000, 0)
    ledger.silence(1000, 31_000, "hold")
    ledger.feed(31_000, 32_000, AGENT)
    assert ledger.latencies == {}
    assert ledger.longest_silence_ms == 0


def test_a_reply_after_another_hold_was_over_is_a_reply_time() -> None:
    ledger = Ledger()
    ledger.feed(0, 1000, CUSTOMER)
    ledger.feed(1000, 31_000, 0)
    ledger.silence(1000, 31_000, "hold")
    ledger.feed(31_000, 32_000, AGENT)
    ledger.feed(32_000, 33_500, 0)
    ledger.silence(32_000, 33_500, "unexplained")
    ledger.feed(33_500, 34_000, CUSTOMER)
    assert ledger.latencies == {"customer": [1500]}


@pytest.mark.parametrize(("before", "greeting"), [((700, CUSTOMER), 700), ((500, 0), 500), ((100, AGENT), 0)])
def test_the_greeting_is_the_agents_first_word_and_stays_it(before: tuple[int, int], greeting: int) -> None:
    ledger = fill(before, (1000, AGENT), (300, CUSTOMER), (1000, AGENT))
    assert ledger.greeting_ms == greeting


def test_an_overlap_from_the_first_moment_on_is_one() -> None:
    ledger = fill((400, BOTH), (400, BOTH | THIRD), (1000, AGENT))
    assert ledger.overlaps == [(0, 800, "customer")]
    assert ledger.interruptions == {"customer": 1}


def test_a_monologue_ends_with_its_own_long_pause() -> None:
    ledger = fill((10_000, AGENT), (3000, 0), (5000, AGENT), (3001, 0), (6000, AGENT), (100, CUSTOMER))
    assert ledger.longest_monologue_ms["agent"] == 18_000


def test_a_third_voice_beside_the_floor_holder_does_not_end_the_monologue() -> None:
    ledger = fill((1000, AGENT), (1000, AGENT | THIRD), (1000, THIRD), (1000, AGENT))
    assert ledger.longest_monologue_ms == {"agent": 4000}


def test_dead_air_counts_heard_silences_only() -> None:
    ledger = Ledger()
    ledger.silence(0, 6000, "unexplained")
    ledger.silence(10_000, 16_000, "hold")
    ledger.silence(20_000, 25_000, "agent_muted")
    ledger.silence(30_000, 34_999, "unexplained")
    ledger.silence(40_000, 40_000, "unexplained")
    assert ledger.dead_air(5000) == 2
    assert ledger.longest_silence_ms == 6000


def test_a_cause_known_late_is_put_right() -> None:
    ledger = Ledger()
    ledger.silence(0, 2000, "no_packets")
    ledger.silence(5000, 9000, "no_packets")
    ledger.silence(9000, 11_000, "unexplained")
    ledger.relabel(4500, 9000, "network")
    ledger.relabel(-100, 0, "network")
    ledger.silence(20_000, 23_000, "no_packets")
    ledger.relabel(19_000, 23_000, "hold")
    assert ledger.silent_ms == {"no_packets": 2000, "network": 4000, "unexplained": 2000, "hold": 3000}
    assert [cause for _, _, cause in ledger.silences] == ["no_packets", "network", "unexplained", "hold"]


def test_marks_are_bounded_and_sums_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    ledger = Ledger()
    for at in range(0, 20_000, 2000):
        ledger.silence(at, at + 1500, "unexplained")
    assert len(ledger.silences) == 3
    assert ledger.silent_ms == {"unexplained": 15_000}


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 31)), max_size=60), st.integers(0, 20_000))
def test_parts_add_up_to_the_duration(stretches: list[tuple[int, int]], since: int) -> None:
    ledger = fill(*stretches, since=since)
    whole = max(0, sum(length for length, _ in stretches) - since)
    agent_only, customer_only = ledger.agent_ms - ledger.overlap_ms, ledger.customer_ms - ledger.overlap_ms
    silence = sum(ledger.silent_ms.values())
    assert agent_only + customer_only + ledger.overlap_ms + ledger.other_ms + silence == whole
    assert ledger.until_ms == sum(length for length, _ in stretches)
    assert all(gap >= 0 for gaps in ledger.latencies.values() for gap in gaps)
