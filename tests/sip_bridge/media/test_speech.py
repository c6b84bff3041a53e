from typing import Any

import pytest

from sip_bridge.link import wire
from sip_bridge.media.commands import Gain
from sip_bridge.media.grants import Ask, Mode
from tests.relay_play import AGENT, CUSTOMER, G711, Play

LOUD = b"\x00\x20" * 160
QUIET = b"\xff" * 160


def states(play: Play) -> list[tuple[str, str]]:
    return [(event["state"], event["reason"]) for event in play.events("grant_state")]


def agent_hears(play: Play) -> bool:
    """Whisper one chunk and tell whether the agent's next packet is changed by it."""
    play.whisper(LOUD)
    [sent] = play.feed(CUSTOMER, play.customer.packet(QUIET))
    return sent.rtp.payload != QUIET


def test_a_whisper_is_heard_under_a_grant_and_not_without() -> None:
    play = Play()
    assert not agent_hears(play)
    play.grant(1)
    assert agent_hears(play)
    play.do("revoke", session=7)
    assert not agent_hears(play)
    assert states(play) == [("open", ""), ("revoked", "")]
    assert play.relay.speech.refused == 2


def test_a_grant_expires_by_our_own_clock_and_cuts_what_waits() -> None:
    play = Play()
    play.grant(1, ttl_ms=100)
    play.wait(95)
    play.whisper(LOUD)
    play.wait(5)
    [sent] = play.feed(CUSTOMER, play.customer.packet(QUIET))
    assert sent.rtp.payload == QUIET
    assert states(play) == [("open", ""), ("expired", "")]


def test_the_loss_of_the_link_ends_every_grant() -> None:
    play = Play()
    play.grant(1)
    play.do("revoke_all")
    assert not agent_hears(play)
    assert states(play)[-1] == ("revoked", "link_lost")


@pytest.mark.parametrize(
    "leg, members, reason",
    [
        (AGENT, {"two_lines": True}, "agent_has_two_lines"),
        (AGENT, {"send": False}, "agent_holds"),
        (AGENT, {"codecs": {"9": "G722"}}, "codec_not_supported"),
        (AGENT, {"codecs": {}}, "codec_not_supported"),
    ],
)
def test_a_whisper_that_may_not_be_is_refused_with_the_reason(leg: int, members: dict[str, Any], reason: str) -> None:
    play = Play()
    play.set(leg, **members)
    play.grant(1)
    assert states(play) == [("refused", reason)]
    play.set(leg)
    play.grant(2)
    assert states(play)[-1] == ("open", "")
    play.set(leg, **members)
    assert states(play)[-1] == ("revoked", reason)
    play.whisper(LOUD)
    assert play.relay.speech.refused == 1


def test_a_customer_who_sends_another_codec_is_not_mixed() -> None:
    play = Play()
    play.set(CUSTOMER, codecs={**G711, "9": "G722"})
    play.feed(CUSTOMER, play.customer.packet(payload_type=9))
    play.grant(1)
    assert states(play) == [("refused", "codec_not_supported")]


def test_barge_needs_a_codec_on_both_legs() -> None:
    play = Play()
    play.set(CUSTOMER, codecs={"9": "G722"})
    play.grant(1, mode="barge")
    assert states(play) == [("refused", "codec_not_supported")]
    play.grant(2)
    assert states(play)[-1] == ("open", "")


@pytest.mark.parametrize(
    "leg, customer", [(CUSTOMER, AGENT), (AGENT, AGENT), (AGENT, 9), (9, CUSTOMER), (CUSTOMER, CUSTOMER)]
)
def test_a_grant_names_an_agent_leg_and_its_customer(leg: int, customer: int) -> None:
    play = Play()
    play.do("grant", session=7, leg=leg, customer_leg=customer, mode="barge", counter=1, ttl_ms=2000)
    assert states(play) == [("refused", "no_such_leg")]


def test_a_grant_cannot_reach_into_another_call() -> None:
    play = Play()
    play.do("open", leg=3, port=22004, role="customer", peer=4)
    play.do("grant", session=7, leg=AGENT, customer_leg=3, mode="barge", counter=1, ttl_ms=2000)
    assert states(play) == [("refused", "no_such_leg")]


def test_closing_either_leg_ends_the_grant() -> None:
    for leg in (AGENT, CUSTOMER):
        play = Play()
        play.grant(1)
        play.whisper(LOUD)
        play.do("close", leg=leg)
        play.wait(100)
        assert states(play)[-1] == ("revoked", "ended")


def test_bad_frames_copies_and_unknown_sessions_are_counted() -> None:
    play = Play()
    play.grant(1)
    chunk = wire.whisper_frame(wire.WhisperChunk(7, 1, 0, bytes(160)))
    other = wire.whisper_frame(wire.WhisperChunk(8, 1, 0, bytes(160)))
    for data in (chunk, chunk, other, b"", b"\x03\x01"):
        play.relay.whisper(data, play.now)
    assert play.relay.speech.refused == 4


def first_sample(play: Play) -> int:
    play.whisper(LOUD)
    [sent] = play.feed(CUSTOMER, play.customer.packet(QUIET))
    return 255 - sent.rtp.payload[0]


def test_gain_is_kept_for_the_session_and_changed_while_speaking() -> None:
    play = Play()
    play.do("gain", session=7, whisper_db=-20, duck_db=0)
    play.grant(1)
    low = first_sample(play)
    play.do("gain", session=7, whisper_db=0, duck_db=0)
    middle = first_sample(play)
    play.grant(2, mode="barge")
    play.do("gain", session=7, whisper_db=12, duck_db=0)
    assert low < middle < first_sample(play)


def test_no_more_than_a_thousand_gains_are_remembered() -> None:
    play = Play()
    for session in range(1100):
        play.relay.speech.tune(Gain(session, 0.0, 0.0))
    assert len(play.relay.speech._gains) == 1000


def test_mode_changes_take_effect_with_the_next_chunk() -> None:
    play = Play()
    play.grant(1)
    play.whisper(LOUD)
    assert play.feed(AGENT, play.agent.packet(QUIET))[0].rtp.payload == QUIET
    play.grant(2, mode="barge")
    play.whisper(LOUD)
    assert play.feed(AGENT, play.agent.packet(QUIET))[0].rtp.payload != QUIET
    play.grant(3)
    assert play.feed(AGENT, play.agent.packet(QUIET))[0].rtp.payload == QUIET
    assert [event["open"] for event in play.events("origin")] == [True, False]


def test_an_idle_moment_ends_the_speaking_and_the_interval() -> None:
    play = Play()
    play.grant(1, mode="barge")
    play.whisper(LOUD)
    play.feed(AGENT, play.agent.packet())
    play.wait(100)
    assert play.relay.speech.speaking == set()
    assert [event["open"] for event in play.events("origin")] == [True, False]
    play.grant(2)
    play.whisper(LOUD)
    play.wait(500)
    assert play.relay.speech.speaking == set()
    assert play.relay.lines[AGENT].out.generated > 0


def test_a_failed_proof_refuses_whatever_is_asked_later() -> None:
    play = Play()
    play.relay.lines[AGENT].proof_failed = True
    play.grant(1)
    assert states(play) == [("refused", "proof_failed")]


def test_a_grant_outlives_a_change_that_leaves_it_allowed() -> None:
    play = Play()
    play.grant(1)
    play.set(AGENT)
    play.set(CUSTOMER)
    assert states(play) == [("open", "")]
    assert agent_hears(play)


def test_no_grant_whatever_makes_an_agents_leg_a_customers() -> None:
    play = Play(open_call=False)
    for leg, port in ((AGENT, 22000), (CUSTOMER, 22002)):
        play.do("open", leg=leg, port=port, role="agent", peer=3 - leg)
        play.set(leg)
    speech = play.relay.speech
    speech.grants.ask(Ask(7, AGENT, CUSTOMER, Mode.BARGE, 1, 2000), "", play.now)
    play.whisper(LOUD)
    assert (speech.refused, speech.speaking) == (0, {AGENT})
    assert not play.relay.lines[CUSTOMER].out.mixer.active


def test_a_gain_for_a_leg_that_is_gone_waits_for_the_next_grant() -> None:
    play = Play()
    speech = play.relay.speech
    speech.grants.ask(Ask(7, 99, CUSTOMER, Mode.BARGE, 1, 2000), "", play.now)
    play.do("gain", session=7, whisper_db=-6.0, duck_db=-12.0)
    assert play.events("error") == []
