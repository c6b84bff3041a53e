import json
from typing import Any

import pytest

from sip_bridge.media import memory
from sip_bridge.media.state import StateFile
from tests.relay_play import AGENT, CUSTOMER, PHONES, Play, Sent

LOUD = b"\x00\x20" * 160


def reborn(play: Play, lost_ms: int = 100) -> Play:
    """Return the same call in a new process with the old one's memory."""
    after = Play(seed=99, memory=play.memory, open_call=False)
    after.agent, after.customer = play.agent, play.customer
    after.now = play.now + lost_ms * 1_000_000
    after.relay.restore(after.now)
    return after


def step(a: Sent, b: Sent) -> tuple[int, int]:
    return (b.rtp.seq - a.rtp.seq) & 0xFFFF, (b.rtp.timestamp - a.rtp.timestamp) & 0xFFFFFFFF


def test_a_new_process_goes_on_relaying_with_the_same_numbers() -> None:
    play = Play()
    for _ in range(5):
        [agent_was] = play.feed(AGENT, play.agent.packet())
        [customer_was] = play.feed(CUSTOMER, play.customer.packet())
    after = reborn(play)
    [agent_is] = after.feed(AGENT, after.agent.packet())
    [customer_is] = after.feed(CUSTOMER, after.customer.packet())
    for was, now in ((agent_was, agent_is), (customer_was, customer_is)):
        assert step(was, now) == (1, 160)
        assert (now.rtp.ssrc, now.address) == (was.rtp.ssrc, was.address)
    assert after.events("hello")[0]["legs"] == [1, 2]
    assert after.relay.tap.epoch != play.relay.tap.epoch


def test_generated_packets_before_the_crash_leave_no_gap() -> None:
    play = Play()
    play.feed(CUSTOMER, play.customer.packet())
    play.grant(1)
    for _ in range(10):
        play.whisper(LOUD)
        play.customer.pause(160)
        play.wait(20)
    last = play.ear(AGENT)[-1]
    after = reborn(play)
    [sent] = after.feed(CUSTOMER, after.customer.packet())
    assert step(last, sent)[0] == 1


def test_a_source_that_is_new_after_the_crash_stays_ahead() -> None:
    play = Play()
    for _ in range(50):
        [was] = play.feed(CUSTOMER, play.customer.packet())
        play.now += 20_000_000
    after = reborn(play, 200)
    after.customer.ssrc ^= 1
    [sent] = after.feed(CUSTOMER, after.customer.packet())
    assert 0 < step(was, sent)[0] < 100
    assert sent.rtp.ssrc == was.rtp.ssrc


def test_what_was_learned_listened_and_tapped_is_known_again() -> None:
    play = Play()
    play.do("tap", on=True)
    play.do("listen", legs=[AGENT], on=True)
    play.set(AGENT, learn=True)
    for _ in range(3):
        play.feed(AGENT, play.agent.packet(), ("192.0.2.1", 7000))
    play.wait(1100)
    after = reborn(play)
    line = after.relay.lines[AGENT]
    assert (line.leg.source, line.leg.learned, line.leg.window_open) == (("192.0.2.1", 7000), True, False)
    assert after.relay.tap.on
    assert after.relay.period() == 2_000_000
    assert after.feed(AGENT, after.agent.packet(), PHONES[AGENT]) == []


def test_a_barge_left_open_is_closed_and_a_failed_proof_stays_failed() -> None:
    play = Play()
    play.grant(1, mode="barge")
    play.whisper(LOUD)
    play.feed(AGENT, play.agent.packet())
    play.relay.lines[AGENT].proof_failed = True
    play.set(AGENT)
    after = reborn(play)
    [closed] = after.events("origin")
    assert (closed["leg"], closed["open"], closed["session"]) == (CUSTOMER, False, 7)
    after.grant(2)
    assert after.events("grant_state")[-1]["reason"] == "proof_failed"


def test_a_closed_leg_does_not_come_back() -> None:
    play = Play()
    play.do("close", leg=AGENT)
    assert sorted(reborn(play).relay.lines) == [CUSTOMER]


@pytest.mark.parametrize(
    "members",
    [
        {"open": [1]},
        {"open": [AGENT, 30000, False, 2, "s"]},
        {"open": [CUSTOMER, 22000, False, 2, "s"]},
        {"set": []},
        {"set": None},
        {"out": {}},
        {"out": None},
        {"source": None, "barging": "x"},
    ],
)
def test_a_poisoned_record_is_passed_over_and_costs_no_other_call(members: dict[str, Any]) -> None:
    play = Play()
    line = play.relay.lines[AGENT]
    record = json.loads(json.dumps(memory.freeze(line, False))) | members
    state = StateFile(play.memory)
    records = dict(state.records())
    state.write(5, record)
    state.write(0, None)
    state.write(1, records[1])
    after = reborn(play)
    assert list(after.relay.lines) == [CUSTOMER]
    assert after.relay.counters["bad_records"] == 1
    assert list(after.wire.heard) == [22002]
