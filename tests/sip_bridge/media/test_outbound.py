from array import array
from itertools import pairwise

import pytest

from sip_bridge.media.g711 import Law, decode
from sip_bridge.media.grants import WhisperAudio
from sip_bridge.media.outbound import CustomerOutbound, Origin, first_law
from tests.relay_play import AGENT, CUSTOMER, Phone, Play, Sent

LOUD = b"\x00\x20" * 160


def speak(play: Play, packets: int, carrier: bool = False) -> list[Sent]:
    """Whisper for so many packets of 20 ms; return what the agent was sent."""
    before = len(play.ear(AGENT))
    for index in range(packets):
        if index % 25 == 0:
            play.grant(play.now)
        play.whisper(LOUD)
        if carrier:
            play.feed(CUSTOMER, play.customer.packet())
        else:
            play.customer.pause(160)
        play.wait(20)
    return play.ear(AGENT)[before:]


def steps(sent: list[Sent]) -> list[tuple[int, int]]:
    return [
        ((b.rtp.seq - a.rtp.seq) & 0xFFFF, (b.rtp.timestamp - a.rtp.timestamp) & 0xFFFFFFFF) for a, b in pairwise(sent)
    ]


def carry(play: Play, packets: int) -> list[Sent]:
    before = len(play.ear(AGENT))
    for _ in range(packets):
        play.feed(CUSTOMER, play.customer.packet())
        play.wait(20)
    return play.ear(AGENT)[before:]


def test_the_stream_has_its_own_numbers_and_keeps_holes_and_order() -> None:
    play = Play()
    [first] = play.feed(CUSTOMER, play.customer.packet())
    assert first.rtp.ssrc != play.customer.ssrc
    hole = play.feed(CUSTOMER, play.customer.packet(skip=3))
    late = play.customer.packet()
    newer = play.feed(CUSTOMER, play.customer.packet())
    after = play.feed(CUSTOMER, late)
    sent = [first, *hole, *newer, *after]
    assert steps(sent) == [(4, 640), (2, 320), (0xFFFF, 0xFFFFFF60)]


def test_a_new_source_continues_the_stream() -> None:
    play = Play()
    carry(play, 5)
    play.customer = Phone(77)
    play.wait(80)
    sent = carry(play, 3)
    assert steps([play.ear(AGENT)[4], *sent]) == [(1, 5 * 160), (1, 160), (1, 160)]
    assert len({one.rtp.ssrc for one in play.ear(AGENT)}) == 1


@pytest.mark.parametrize("ptime", [10, 20, 30, 60])
def test_any_packet_time_passes_and_generated_packets_follow_the_agents(ptime: int) -> None:
    play = Play(open_call=False)
    play.open(ptime=ptime)
    samples = 8 * ptime
    for _ in range(5):
        play.feed(CUSTOMER, play.customer.packet(bytes(samples)))
        play.wait(ptime)
    assert steps(play.ear(AGENT)) == [(1, samples)] * 4
    generated = speak(play, 20)
    assert {len(one.rtp.payload) for one in generated} == {samples}
    assert set(steps(generated)) == {(1, samples)}


def test_a_muted_customers_silence_is_filled_without_a_gap_and_handed_back() -> None:
    play = Play()
    carry(play, 10)
    generated = speak(play, 50)
    assert 45 <= len(generated) <= 50
    assert [one.rtp.marker for one in generated] == [True] + [False] * (len(generated) - 1)
    assert set(steps(generated)) == {(1, 160)}
    play.do("revoke", session=7)
    returned = carry(play, 5)
    assert [step[0] for step in steps([generated[-1], *returned])] == [1] * 5
    assert steps(returned) == [(1, 160)] * 4
    # The phone's clock ran on: the stream is where it would have been without us.
    elapsed = (returned[0].rtp.timestamp - play.ear(AGENT)[9].rtp.timestamp) & 0xFFFFFFFF
    assert elapsed == 51 * 160


def test_generated_timestamps_follow_the_wall_clock() -> None:
    play = Play()
    carry(play, 3)
    generated = speak(play, 100)
    first, last = generated[0], generated[-1]
    assert ((last.rtp.timestamp - first.rtp.timestamp) & 0xFFFFFFFF) == pytest.approx(
        (last.at - first.at) / 125_000, abs=160
    )


def test_a_customer_who_never_sent_anything_is_filled_in_for() -> None:
    play = Play()
    generated = speak(play, 20)
    assert set(steps(generated)) == {(1, 160)}
    returned = carry(play, 2)
    assert steps([generated[-1], *returned]) == [(1, 160), (1, 160)]


def test_generated_packets_stop_60_ms_after_the_last_samples() -> None:
    play = Play()
    speak(play, 10)
    tail = play.wait(500)
    assert len([one for one in tail if one.port == 22000]) <= 4


def test_a_source_whose_clock_stood_still_is_moved_along() -> None:
    play = Play()
    carry(play, 5)
    stood = play.customer.timestamp
    speak(play, 50)
    play.customer.timestamp = stood
    returned = carry(play, 10)
    assert steps([play.ear(AGENT)[-11], *returned]) == [(1, 160)] * 10


def test_a_carrier_a_little_behind_is_moved_along_after_some_packets() -> None:
    play = Play()
    carry(play, 5)
    speak(play, 20)
    play.customer.timestamp -= 5 * 160
    returned = carry(play, 12)
    behind = [step[1] >= 1 << 31 for step in steps([play.ear(AGENT)[-13], *returned])]
    assert behind[0]
    assert not any(behind[6:])


def test_late_packets_from_before_an_insertion_keep_their_numbers() -> None:
    play = Play()
    carry(play, 5)
    late = play.customer.packet()
    before = carry(play, 1)[0]
    speak(play, 10)
    [sent] = play.feed(CUSTOMER, late)
    assert (before.rtp.seq - sent.rtp.seq) & 0xFFFF == 1
    carry(play, 3)
    missing = play.customer.packet()
    after = carry(play, 1)[0]
    [sent] = play.feed(CUSTOMER, missing)
    assert (after.rtp.seq - sent.rtp.seq) & 0xFFFF == 1
    assert len({one.rtp.seq for one in play.ear(AGENT)}) == len(play.ear(AGENT))


def test_comfort_noise_does_not_interrupt_generated_packets() -> None:
    play = Play()
    carry(play, 5)
    generated = 0
    for _ in range(10):
        play.feed(CUSTOMER, play.customer.packet(b"\x40", payload_type=13))
        generated += len(speak(play, 10))
    assert generated >= 95


def test_a_stall_of_ours_is_not_made_up_for_by_a_burst() -> None:
    play = Play()
    speak(play, 10)
    play.now += 200_000_000
    play.relay.tick(play.now)
    before = len(play.ear(AGENT))
    play.whisper(LOUD)
    play.wait(20)
    assert len(play.ear(AGENT)) - before <= 2


def test_nothing_is_generated_towards_a_phone_that_may_not_be_sent_to() -> None:
    play = Play()
    speak(play, 5)
    play.set(AGENT, remote=None)
    assert speak(play, 10) == []


@pytest.mark.parametrize("law", list(Law))
def test_generated_packets_speak_the_carriers_law(law: Law) -> None:
    play = Play()
    play.customer.law = law
    speak(play, 5, carrier=True)
    generated = speak(play, 10)[4:]
    assert {one.rtp.payload_type for one in generated} == {int(law)}
    assert array("h", decode(generated[0].rtp.payload, law))[0] == pytest.approx(0x2000, rel=0.04)


def test_without_a_carrier_the_phones_first_law_is_spoken() -> None:
    play = Play(open_call=False)
    play.open(codecs={"101": "telephone-event", "8": "PCMA", "0": "PCMU"})
    assert {one.rtp.payload_type for one in speak(play, 10)} == {8}
    play.set(AGENT, codecs={})
    assert first_law(play.relay.lines[AGENT].leg) is Law.PCMU


def test_digits_and_other_codecs_pass_untouched_while_somebody_whispers() -> None:
    play = Play()
    speak(play, 3, carrier=True)
    for kind in (101, 13, 9):
        play.whisper(LOUD)
        payload = play.customer.noise(4)
        [sent] = play.feed(CUSTOMER, play.customer.packet(payload, payload_type=kind))
        assert (sent.rtp.payload, sent.rtp.payload_type) == (payload, kind)


def test_the_customers_stream_takes_barge_alone() -> None:
    out = Play().relay.lines[CUSTOMER].out
    assert isinstance(out, CustomerOutbound)
    with pytest.raises(AssertionError):
        out.speak(WhisperAudio(7, AGENT, LOUD), 0)  # type: ignore[arg-type]  # the point of the test
    assert not out.mixer.active
    assert "whisper" not in {origin.value for origin in Origin}


def test_barge_fills_in_for_a_muted_agent_and_its_interval_is_told_once() -> None:
    play = Play()
    play.grant(1, mode="barge")
    for _ in range(20):
        play.whisper(LOUD)
        play.wait(20)
    assert len(play.ear(CUSTOMER)) >= 15
    play.wait(200)
    assert [event["open"] for event in play.events("origin")] == [True, False]


def test_a_send_that_fails_is_counted_and_ends_nothing() -> None:
    play = Play()
    play.wire.broken = True
    play.feed(CUSTOMER, play.customer.packet())
    assert play.relay.lines[AGENT].out.failed == 1
    play.wire.broken = False
    assert len(play.feed(CUSTOMER, play.customer.packet())) == 1


def test_a_generated_packet_that_cannot_be_sent_is_counted_and_ends_nothing() -> None:
    play = Play()
    assert speak(play, 5)
    play.wire.broken = True
    speak(play, 5)
    assert play.relay.lines[AGENT].out.failed > 0
    play.wire.broken = False
    assert speak(play, 5)


def test_a_frozen_stream_goes_on_with_its_numbers() -> None:
    play = Play()
    carry(play, 5)
    frozen = play.relay.lines[AGENT].out.freeze()
    other = Play(seed=50)
    out = other.relay.lines[AGENT].out
    out.thaw(frozen, play.now + 100_000_000)
    assert out.freeze() == {
        **frozen,
        "seq": (frozen["seq"] + 6) & 0xFFFF,
        "ts": (frozen["ts"] + 6 * 160) & 0xFFFFFFFF,
        "sent_ns": play.now + 100_000_000,
    }
    unsent = Play(seed=51).relay.lines[AGENT].out
    out.thaw(unsent.freeze(), play.now)
    assert out.freeze() == unsent.freeze()


def test_nothing_is_sent_while_the_phone_is_unknown_or_may_not_be_sent_to() -> None:
    play = Play()
    play.set(AGENT, remote=None)
    assert carry(play, 1) == []
    play.set(AGENT, send=False)
    assert carry(play, 1) == []


def test_a_payload_that_was_changed_on_the_way_is_put_back_and_told() -> None:
    play = Play(leak_whisper=True)
    out = play.relay.lines[CUSTOMER].out
    assert isinstance(out, CustomerOutbound)
    play.grant(1)
    play.whisper(LOUD)
    payload = play.agent.noise()
    [sent] = play.feed(AGENT, play.agent.packet(payload))
    assert sent.rtp.payload == payload
    assert out.mismatches == 1
    [sent] = play.feed(AGENT, play.agent.packet(payload))
    assert (sent.rtp.payload, out.mismatches) == (payload, 1)


def test_a_barge_over_packets_is_one_interval() -> None:
    play = Play()
    out = play.relay.lines[CUSTOMER].out
    assert isinstance(out, CustomerOutbound)
    play.grant(1, mode="barge")
    for _ in range(3):
        play.whisper(LOUD)
        play.feed(AGENT, play.agent.packet())
        assert out.barging == 7
        play.wait(20)
    play.whisper(LOUD)
    play.feed(AGENT, play.agent.packet(b"\x05\x0a\0\0", payload_type=101))
    assert out.barging == 7
    play.do("revoke", session=7)
    out.rest(play.now)
    assert [event["open"] for event in play.events("origin")] == [True, False]
    assert out.barging is None


@pytest.mark.parametrize("leg", [AGENT, CUSTOMER])
def test_nothing_is_made_up_while_nobody_speaks(leg: int) -> None:
    play = Play()
    out = play.relay.lines[leg].out
    due = [out.generate(play.now + at * 20_000_000) for at in range(50)]
    assert not any(due)
    assert (play.ear(leg), out.generated) == ([], 0)


def test_a_carrier_long_after_the_last_word_passes_untouched() -> None:
    play = Play()
    assert len(speak(play, 1, carrier=True)) == 1
    play.now += 1_000_000_000
    payload = play.customer.noise()
    [sent] = play.feed(CUSTOMER, play.customer.packet(payload))
    assert sent.rtp.payload == payload
    assert not play.relay.lines[AGENT].out.mixer.active
