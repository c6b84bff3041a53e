from typing import Any

import pytest

from sip_bridge.link import wire
from sip_bridge.media import rtcp
from sip_bridge.media.grants import BargeAudio
from sip_bridge.media.outbound import CustomerOutbound
from tests.relay_play import AGENT, AGENT_PORT, CUSTOMER, CUSTOMER_PORT, G711, PHONES, STRANGER, Play


def test_packets_cross_the_bridge_both_ways() -> None:
    play = Play()
    [to_customer] = play.feed(AGENT, play.agent.packet(b"a" * 160, marker=True))
    assert (to_customer.port, to_customer.address) == (CUSTOMER_PORT, PHONES[CUSTOMER])
    assert (to_customer.rtp.payload, to_customer.rtp.marker) == (b"a" * 160, True)
    [to_agent] = play.feed(CUSTOMER, play.customer.packet(b"c" * 160))
    assert (to_agent.port, to_agent.address, to_agent.rtp.payload) == (AGENT_PORT, PHONES[AGENT], b"c" * 160)


@pytest.mark.parametrize("members", [{"recv": False}, {"remote": None}])
def test_what_a_phone_may_not_send_is_not_sent_on(members: dict[str, Any]) -> None:
    play = Play()
    play.set(AGENT, **members)
    assert play.feed(AGENT, play.agent.packet()) == []
    play.set(AGENT)
    assert len(play.feed(AGENT, play.agent.packet())) == 1


def test_a_phone_that_may_not_be_sent_to_is_sent_nothing() -> None:
    play = Play()
    play.set(CUSTOMER, send=False)
    assert play.feed(AGENT, play.agent.packet()) == []


def test_the_order_of_set_and_open_does_not_matter_to_the_pair() -> None:
    play = Play(open_call=False)
    play.do("open", leg=CUSTOMER, port=CUSTOMER_PORT, role="customer", peer=AGENT)
    play.set(CUSTOMER)
    assert play.feed(CUSTOMER, play.customer.packet()) == []
    play.do("open", leg=AGENT, port=AGENT_PORT, role="agent", peer=CUSTOMER)
    play.set(AGENT)
    assert len(play.feed(CUSTOMER, play.customer.packet())) == 1


def test_two_agents_can_talk_to_each_other() -> None:
    play = Play(open_call=False)
    for leg, port in ((AGENT, AGENT_PORT), (CUSTOMER, CUSTOMER_PORT)):
        play.do("open", leg=leg, port=port, role="agent", peer=3 - leg)
        play.set(leg)
    assert len(play.feed(AGENT, play.agent.packet())) == 1
    play.grant(1)
    assert play.events("grant_state")[-1]["reason"] == "no_such_leg"


def test_a_closed_leg_is_sent_nothing_and_its_port_is_free_again() -> None:
    play = Play()
    play.do("close", leg=CUSTOMER)
    assert play.wire.heard == {AGENT_PORT: AGENT}
    assert play.feed(AGENT, play.agent.packet()) == []
    play.do("open", leg=9, port=CUSTOMER_PORT, role="customer", peer=AGENT)
    assert play.events("error") == []


@pytest.mark.parametrize(
    "cmd, members, text",
    [
        ("open", {"leg": AGENT, "port": 22010, "role": "agent", "peer": 2}, "leg 1 is open"),
        ("open", {"leg": 5, "port": AGENT_PORT, "role": "agent", "peer": 2}, "port 22000 is odd or taken"),
        ("open", {"leg": 5, "port": 22011, "role": "agent", "peer": 2}, "port 22011 is odd or taken"),
        ("open", {"leg": 5, "port": 30000, "role": "agent", "peer": 2}, "port 30000 is not in the range"),
        ("set", {"leg": 5}, "leg 5 is not open"),
        ("close", {"leg": 5}, "leg 5 is not open"),
        ("dance", {}, "unknown command"),
    ],
)
def test_a_command_that_cannot_be_done_is_an_error_event(cmd: str, members: dict[str, Any], text: str) -> None:
    play = Play()
    play.do(cmd, **members)
    assert play.events("error") == [{"ev": "error", "cmd": cmd, "text": text}]
    assert play.relay.counters["commands_refused"] == 1


def test_foreign_and_malformed_packets_end_nothing() -> None:
    play = Play()
    assert play.feed(AGENT, play.agent.packet(), STRANGER) == []
    assert play.feed(AGENT, b"") == []
    assert play.feed(AGENT, bytes(3000)) == []
    assert len(play.feed(AGENT, play.agent.packet())) == 1


def test_a_digit_is_told_once_and_its_number_is_not() -> None:
    play = Play()
    play.do("tap", on=True)
    play.agent.packet()
    for duration in (160, 320, 480):
        packet = play.agent.packet(b"\x05\x0a" + duration.to_bytes(2), payload_type=101)
        play.agent.timestamp -= 4
        [sent] = play.feed(AGENT, packet)
        assert sent.rtp.payload[0] == 5
    play.wait(40)
    assert play.events("dtmf") == [{"ev": "dtmf", "leg": AGENT}]
    assert [(packet.payload[0], packet.flags) for packet in play.tapped()] == [(0, wire.FLAG_DTMF)] * 3


def test_the_tap_is_off_until_it_is_turned_on() -> None:
    play = Play()
    play.feed(AGENT, play.agent.packet())
    play.wait(2000)
    assert play.frames == []
    play.do("tap", on=True)
    data = play.agent.packet()
    play.feed(AGENT, data)
    play.wait(30)
    assert [(packet.leg, packet.payload) for packet in play.tapped()] == [(AGENT, data[12:])]


def test_a_listened_leg_is_flushed_within_2_ms() -> None:
    play = Play()
    play.do("tap", on=True)
    play.do("listen", legs=[AGENT, 99], on=True)
    assert play.relay.period() == 2_000_000
    play.feed(AGENT, play.agent.packet())
    play.wait(3)
    assert len(play.tapped()) == 1
    play.do("listen", legs=[AGENT], on=False)
    assert play.relay.period() == 20_000_000
    play.do("listen", legs=[AGENT], on=True)
    play.do("close", leg=AGENT)
    assert play.relay.period() == 20_000_000


def test_every_leg_has_a_row_a_second_and_a_whispered_one_ten() -> None:
    play = Play()
    play.do("tap", on=True)
    play.wait(3000)
    assert (len(play.rows(AGENT)), len(play.rows(CUSTOMER))) == (3, 3)
    play.frames.clear()
    for _ in range(50):
        play.grant(play.now)
        play.whisper(b"\x00\x20" * 160)
        play.feed(CUSTOMER, play.customer.packet())
        play.wait(20)
    assert play.relay.period() == 1_000_000
    rows = play.rows(AGENT)
    assert 9 <= len(rows) <= 11
    assert all(row.flags & wire.ROW_WHISPERED for row in rows[1:])
    assert rows[-1].whispered_samples - rows[0].whispered_samples > 6000


def test_silence_is_told_every_10_s() -> None:
    play = Play()
    for _ in range(100):
        play.feed(AGENT, play.agent.packet())
        play.wait(250)
    assert [(event["leg"], event["seconds"]) for event in play.events("silent")] == [(CUSTOMER, 10), (CUSTOMER, 20)]


def test_a_learned_source_is_told() -> None:
    play = Play()
    play.set(AGENT, learn=True)
    for _ in range(3):
        play.feed(AGENT, play.agent.packet(), ("192.0.2.1", 7000))
    play.wait(1100)
    assert play.events("learned") == [{"ev": "learned", "leg": AGENT, "remote": ["192.0.2.1", 7000]}]
    [sent] = play.feed(CUSTOMER, play.customer.packet())
    assert sent.address == ("192.0.2.1", 7000)


def test_stats_count_closed_legs_too() -> None:
    play = Play()
    for _ in range(3):
        play.feed(AGENT, play.agent.packet())
    play.feed(AGENT, play.agent.packet(), STRANGER)
    play.do("stats")
    stats = play.events("stats")[0]
    assert (stats["counters"]["packets_in"], stats["counters"]["packets_out"]) == (3, 3)
    assert stats["counters"]["dropped_foreign"] == 1
    assert stats["legs"]["1"]["packets_in"] == 3
    play.do("close", leg=AGENT)
    play.do("close", leg=CUSTOMER)
    play.do("stats")
    stats = play.events("stats")[1]
    assert (stats["counters"]["packets_in"], stats["counters"]["legs_open"], stats["legs"]) == (3, 0, {})


def test_hello_names_the_legs() -> None:
    play = Play()
    play.do("hello")
    assert play.events("hello") == [{"ev": "hello", "epoch": play.relay.tap.epoch, "legs": [1, 2]}]


def test_without_a_memory_nothing_is_restored() -> None:
    play = Play()
    play.relay._state = None
    play.relay.restore(play.now)
    play.set(AGENT, codecs=G711)
    play.do("close", leg=AGENT)
    assert sorted(play.relay.lines) == [CUSTOMER]


LOUD = b"\x00\x20" * 160


def test_rtcp_on_the_rtp_port_ends_here() -> None:
    play = Play()
    play.set(AGENT, rtcp=list(PHONES[AGENT]))
    assert play.feed(AGENT, rtcp.build(rtcp.Report(5, None, (), False), b"p")) == []
    assert play.relay.lines[AGENT].reporter.taken == 1


def test_speech_commands_reach_the_grants() -> None:
    play = Play()
    play.do("gain", session=7, whisper_db=-6, duck_db=-3)
    for counter, end in ((1, "revoke"), (2, "revoke_all")):
        play.grant(counter)
        play.whisper(LOUD)
        assert play.feed(CUSTOMER, play.customer.packet())[0].rtp.payload != play.customer.noise()
        play.do(end, session=7)
    assert [event["state"] for event in play.events("grant_state")] == ["open", "revoked"] * 2
    assert play.relay.lines[AGENT].out.mixed == 2


def test_a_mismatch_cuts_the_whisper_and_is_told() -> None:
    play = Play(leak_whisper=True)
    payload = play.agent.noise()
    play.whisper(LOUD)
    assert play.feed(AGENT, play.agent.packet(payload))[0].rtp.payload == payload
    play.grant(1)
    play.whisper(LOUD)
    assert play.feed(CUSTOMER, play.customer.packet(payload_type=9))[0].rtp.payload_type == 9
    assert play.events("proof") == [], "nothing was leaked towards the customer yet"
    assert play.feed(AGENT, play.agent.packet(payload, payload_type=9))[0].rtp.payload == payload
    assert play.events("proof") == [], "a codec we do not mix cannot leak"
    assert play.feed(AGENT, play.agent.packet(payload))[0].rtp.payload == payload
    assert [event["mismatches"] for event in play.events("proof")] == [1]
    assert play.relay.counters["proof_mismatches"] == 1


def test_a_barge_interval_is_told_and_saved() -> None:
    play = Play()
    play.grant(1, mode="barge")
    play.whisper(LOUD)
    play.feed(AGENT, play.agent.packet())
    assert [event["open"] for event in play.events("origin")] == [True]
    play.do("close", leg=CUSTOMER)
    assert [event["open"] for event in play.events("origin")] == [True, False]


def test_the_legs_of_an_earlier_life_are_open_and_bad_records_are_counted() -> None:
    play = Play()
    play.do("listen", legs=[AGENT], on=True)
    play.memory[2048 * 2 : 2048 * 3] = play.memory[0:2048]
    after = Play(memory=play.memory, open_call=False)
    after.relay.restore(after.now)
    assert after.events("hello")[0]["legs"] == [AGENT, CUSTOMER]
    assert after.relay.counters["bad_records"] == 1
    assert after.relay.period() == 2_000_000
    assert len(after.feed(AGENT, after.agent.packet())) == 1
    after.do("open", leg=9, port=AGENT_PORT, role="agent", peer=CUSTOMER)
    assert after.events("error")[0]["text"] == "port 22000 is odd or taken"


def test_a_record_that_cannot_be_used_gives_its_port_back() -> None:
    play = Play()
    [(_, first), (_, second)] = list(play.relay._state.records() if play.relay._state else ())
    assert play.relay._state is not None
    play.relay._state.write(0, {**first, "set": []})
    play.relay._state.write(1, {**second, "barging": 7})
    after = Play(memory=play.memory, open_call=False)
    after.relay.restore(after.now)
    assert after.wire.heard == {CUSTOMER_PORT: CUSTOMER}
    assert [event["open"] for event in after.events("origin")] == [False]
    after.do("open", leg=AGENT, port=AGENT_PORT, role="agent", peer=CUSTOMER)
    assert after.events("error") == []


def test_a_stream_that_outlives_its_leg_tells_its_interval_and_keeps_nothing() -> None:
    play = Play()
    out = play.relay.lines[CUSTOMER].out
    assert isinstance(out, CustomerOutbound)
    play.do("close", leg=CUSTOMER)
    memory = bytes(play.memory)
    out.speak(BargeAudio(7, AGENT, CUSTOMER, b"\x00\x20" * 160), play.now)
    play.feed(AGENT, play.agent.packet())
    sent = [out.generate(play.now + at * 20_000_000) for at in range(10)]
    assert any(sent) and [event["open"] for event in play.events("origin")] == [True]
    assert bytes(play.memory) == memory


def test_a_leak_on_purpose_leaks_nothing_when_nobody_speaks() -> None:
    play = Play(leak_whisper=True)
    play.grant(1)
    play.whisper(b"\x00\x20" * 160)
    play.feed(CUSTOMER, play.customer.packet())
    play.now += 1_000_000_000
    payload = play.agent.noise()
    [sent] = play.feed(AGENT, play.agent.packet(payload))
    assert sent.rtp.payload == payload
    assert play.events("proof") == []
