from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livemon.bus.messages import CallFigures
from livemon.talk import engine as module
from livemon.talk.engine import TalkEngine
from livemon.talk.ports import SilenceBegan, SilenceEnded, SpurtClosed, SpurtExtended, SpurtOpened
from sip_bridge.link.wire import TapPacket, TapRow
from tests.speechlike import packets, suppressed, talk
from tests.virtual_call import CODECS, START_US, VirtualCall, near

AGENT = [(1.0, 3.0), (3.2, 4.0), (8.0, 9.0)]
CUSTOMER = [(5.0, 7.5), (8.4, 8.8)]


def streams(length: float = 12.0) -> tuple[list[TapPacket], list[TapPacket]]:
    return packets(1, talk(length, AGENT, 1)), packets(2, talk(length, CUSTOMER, 2))


def test_what_happens_is_told_in_order() -> None:
    call = VirtualCall()
    call.play(11, *streams())
    assert [type(event).__name__ for event in call.events] == [
        "SilenceBegan",
        "SpurtOpened",
        "SilenceEnded",
        "SpurtExtended",
        "SpurtClosed",
        "SilenceBegan",
        "SpurtOpened",
        "SilenceEnded",
        "SpurtClosed",
        "SilenceBegan",
        "SpurtOpened",
        "SilenceEnded",
        "SpurtOpened",
        "SpurtClosed",
        "SpurtClosed",
        "SilenceBegan",
    ]
    assert next(e for e in call.events if isinstance(e, SpurtClosed)) == SpurtClosed("c", "agent", 1000, 4000)
    assert next(e for e in call.events if isinstance(e, SpurtOpened)) == SpurtOpened("c", "agent", 1000)
    assert next(e for e in call.events if isinstance(e, SpurtExtended)).start_ms == 1000
    assert [e for e in call.events if isinstance(e, SilenceBegan)][-1] == SilenceBegan("c", 9000, "unexplained")
    assert [e for e in call.events if isinstance(e, SilenceEnded)][1] == SilenceEnded("c", 4000, 5000, "unexplained")


def test_figures_of_a_plain_call() -> None:
    call = VirtualCall()
    call.play(11, *streams())
    call.engine.signal("c", "ended", START_US + 11_000_000)
    figures = call.engine.figures("c")
    assert figures == CallFigures(
        id="c",
        silence_ms=0,
        silence_cause="",
        speaking=0,
        talkover_ms=0,
        agent_talk_ms=4000,
        customer_talk_ms=2900,
        overlap_ms=400,
        silence_total_ms=figures.silence_total_ms,
        longest_silence_ms=figures.longest_silence_ms,
        dead_air_events=0,
        interruptions=0,
        hold_ms=0,
        agent_dbfs=figures.agent_dbfs,
        customer_dbfs=figures.customer_dbfs,
        agent_loss_permille=0,
        customer_loss_permille=0,
    )
    ledger = call.engine.state("c").ledger
    assert figures.agent_talk_ms + figures.customer_talk_ms - figures.overlap_ms + sum(
        ledger.silent_ms.values()
    ) == pytest.approx(11_000, abs=1)
    assert figures.longest_silence_ms == pytest.approx(2000, abs=1)
    assert -70 < figures.agent_dbfs < -60
    assert ledger.latencies == {"customer": [1000], "agent": [500]}
    assert ledger.greeting_ms == 1000


def test_a_late_step_gives_the_same_as_steps_in_time() -> None:
    agent, customer = streams()
    punctual = VirtualCall()
    punctual.play(11, agent, customer)
    late = VirtualCall()
    stream = sorted([*agent, *customer], key=lambda p: p.arrival_us)
    late.engine.step(START_US + 20_000)
    late.engine.packets([p for p in stream if p.arrival_us <= START_US + 11_000_000])
    late.engine.step(START_US + 7_000_000)
    late.engine.step(START_US + 11_000_000)
    assert late.spurts("agent") == punctual.spurts("agent")
    assert late.spurts("customer") == punctual.spurts("customer")


def test_a_suspended_machine_skips_what_cannot_be_known() -> None:
    call = VirtualCall()
    call.play(2)
    call.engine.step(START_US + 3_600_000_000)
    assert call.engine.counters["skipped_ms"] == 3_600_000 - 2000 - 10_000


def test_a_queue_that_nobody_steps_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE", 100)
    engine = TalkEngine()
    agent, _ = streams()
    for packet in agent[:150]:
        engine.packet(packet)
    assert engine.counters["queue_full"] == 50


def test_packets_of_unknown_legs_are_counted() -> None:
    call = VirtualCall()
    call.play(1, packets(9, talk(1, [], 1)))
    assert call.engine.counters["unknown_leg"] == call.engine.counters["packets"] == 50


@pytest.mark.parametrize("ptime", [10, 30, 60])
def test_packet_times(ptime: int) -> None:
    call = VirtualCall()
    call.play(11, packets(1, talk(12, AGENT, 1), ptime=ptime), packets(2, talk(12, CUSTOMER, 2), ptime=ptime))
    assert near(call.spurts("agent"), [(1.0, 4.0), (8.0, 9.0)], 0.05)
    assert near(call.spurts("customer"), CUSTOMER, 0.05)


def test_a_hundred_ppm_between_the_phones_does_not_part_them() -> None:
    call = VirtualCall()
    agent = packets(1, talk(62, [(1.0, 2.0), (58.0, 60.0)], 1), ppm=100)
    customer = packets(2, talk(62, [(59.0, 61.0)], 2), ppm=-100)
    call.play(62, agent, customer)
    overlap = call.engine.state("c").ledger.overlaps[0]
    assert overlap[1] - overlap[0] == pytest.approx(1012, abs=45)


def test_legs_come_and_go_and_change_their_call() -> None:
    call = VirtualCall()
    agent, customer = streams()
    call.play(5.5, agent, customer)
    call.engine.remove_leg(2)
    call.engine.remove_leg(2)
    call.engine.step(START_US + 5_600_000)
    assert near(call.spurts("customer"), [(5.0, 5.44)], 0.05)
    call.engine.add_leg(1, "other", "third", CODECS)
    call.engine.signal("other", "answered", START_US + 5_600_000)
    assert near(call.spurts("agent"), [(1.0, 4.0)], 0.05)
    call.now_us = START_US + 5_600_000
    call.play(11, [p for p in agent if p.arrival_us > call.now_us])
    assert [s.party for s in call.engine.spurts_since("other", 0)] == ["third"]
    assert sorted(call.engine.calls()) == ["c", "other"]
    call.engine.forget("other")
    call.engine.forget("other")
    assert call.engine.calls() == ["c"]
    with pytest.raises(KeyError):
        call.engine.figures("other")


def test_a_leg_may_change_codec_and_party_in_the_call() -> None:
    call = VirtualCall()
    agent, customer = streams()
    call.play(4.5, agent, customer)
    call.engine.add_leg(2, "c", "third", {8: "PCMA"})
    call.play(8, agent[225:], customer[225:])
    # The new offer has no payload type 0: what comes under it is not the party's.
    assert call.spurts("third") == []
    assert call.condition_cause() == "no_packets"


def test_loss_is_the_bridge_s_count_where_there_is_one() -> None:
    call = VirtualCall()
    agent, customer = streams()
    call.play(4, agent[:50] + agent[60:], customer)
    assert call.engine.figures("c").agent_loss_permille == 50
    call.engine.rows([TapRow(1, 200, 1, 0, 0, 0, 0), TapRow(77, 1, 1, 0, 0, 0, 0)])
    assert call.engine.figures("c").agent_loss_permille == 5


def test_a_muted_agent_who_sends_nothing_is_a_muted_agent() -> None:
    call = VirtualCall()
    agent, customer = streams()
    call.play(
        12, [p for p in agent if p.arrival_us < START_US + 4_500_000], customer, signals=[(4.4, "muted", "agent")]
    )
    assert call.silences()[-1] == (8.8, "agent_muted")


def test_a_phone_that_shows_silence_suppression_late_is_forgiven() -> None:
    call = VirtualCall()
    spans = [(1.0, 2.0), (4.0, 5.0)]
    agent = suppressed(packets(1, talk(12, spans, 1)), spans, comfort_noise=False)
    call.play(8, agent, packets(2, talk(12, [], 2)))
    assert call.silences()[-1] == (5.0, "unexplained")


def test_a_gap_that_ends_without_a_hole_stays_missing_packets() -> None:
    call = VirtualCall()
    agent, customer = streams()
    paused = [p._replace(seq=p.seq - 50 if n >= 550 else p.seq) for n, p in enumerate(agent) if not 500 <= n < 550]
    call.play(12, paused, customer)
    assert [(round(start, 1), cause) for start, cause in call.silences()[-3:]] == [
        (9.0, "unexplained"),
        (10.0, "no_packets"),
        (11.0, "unexplained"),
    ]


def test_a_hole_in_the_sequence_is_the_network() -> None:
    call = VirtualCall()
    agent, customer = streams()
    call.play(12, agent[:475] + agent[525:], customer)
    assert [(round(start, 1), cause) for start, cause in call.silences()[-3:]] == [
        (9.0, "unexplained"),
        (9.5, "no_packets"),
        (10.5, "unexplained"),
    ]
    causes = {(i.start, i.end): i.cause for i in call.engine.state("c").causes.intervals}
    assert causes[9500, 10_500] == "network"


def test_tap_loss_of_one_leg_or_an_unknown_one() -> None:
    call = VirtualCall()
    call.play(11, *streams(), lost=[(1, 9.5, 10.0), (55, 0.0, 1.0)])
    assert call.silences()[-1] == (10.0, "unexplained")


def test_figures_go_on_after_a_restart() -> None:
    agent, customer = streams()
    first = VirtualCall()
    first.play(7, agent, customer)
    before = first.engine.figures("c")
    before_settled = first.engine.state("c").settled
    saved = first.engine.checkpoint()
    engine = TalkEngine()
    assert engine.restore(saved)
    second = VirtualCall(engine=engine, now_us=START_US + 9_600_000)
    second.play(11.5, agent[480:], customer[480:])
    after = engine.figures("c")
    assert after.agent_talk_ms == before.agent_talk_ms == 3000
    assert after.customer_talk_ms >= before.customer_talk_ms > 1500
    assert engine.condition("c").silence_cause == "unexplained"
    assert second.spurts("agent") == [(1.0, 4.0)]
    state = engine.state("c")
    missed = [(i.start, i.end) for i in state.causes.intervals if i.cause == "tap_lost"]
    assert missed == [(before_settled, 9620)]


@pytest.mark.parametrize("data", [b"", b"\x93\x01", b"\x83\xa7version\x02\xa5calls\x90\xa6levels\x80"])
def test_a_checkpoint_that_cannot_be_read_changes_nothing(data: bytes) -> None:
    engine = TalkEngine()
    assert not engine.restore(data)
    assert engine.calls() == []


def test_questions_before_the_first_step() -> None:
    engine = TalkEngine()
    engine.add_leg(1, "c", "agent", CODECS)
    assert engine.condition("c").silence_since_ms is not None
    assert engine.figures("c").agent_talk_ms == 0
    assert engine.drain() == []


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2, 3]),
            st.integers(0, 0xFFFF),
            st.sampled_from([0, 8, 13, 96, 101, 111]),
            st.booleans(),
            st.integers(0, 7),
            st.integers(0, 0xFFFFFFFF),
            st.integers(0, 3_000_000),
            st.binary(max_size=400),
        ),
        max_size=60,
    )
)
def test_no_packet_whatever_raises(fields: list[tuple[int, int, int, bool, int, int, int, bytes]]) -> None:
    call = VirtualCall()
    stream = [TapPacket(*field)._replace(arrival_us=START_US + field[6]) for field in fields]
    call.play(3.2, stream)
    call.engine.signal("c", "ended", call.now_us)
    ledger = call.engine.state("c").ledger
    whole = ledger.agent_ms + ledger.customer_ms - ledger.overlap_ms + sum(ledger.silent_ms.values())
    assert whole == ledger.until_ms - ledger.since_ms


def test_a_leg_without_a_start_waits_for_the_first_signal() -> None:
    engine = TalkEngine()
    engine.add_leg(1, "c", "agent", CODECS)
    engine.step(START_US)
    assert engine.drain() == []
    engine.signal("c", "ringing", START_US)
    engine.step(START_US + 20_000)
    assert engine.drain() == [SilenceBegan("c", 0, "ringing")]
