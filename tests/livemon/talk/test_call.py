from __future__ import annotations

from livemon.talk.call import Call
from livemon.talk.ports import Cause


def running(call: Call, now: int) -> tuple[int, Cause] | None:
    return call.timeline.running_silence(now)


def test_the_first_time_asked_for_is_zero() -> None:
    call = Call("c")
    assert call.ms(5_000_000) == 0
    assert call.ms(5_020_500) == 20
    assert call.ms(4_990_000) == -10


def test_nobody_is_audible_before_the_answer_and_after_the_end() -> None:
    call = Call("c")
    assert not call.audible("agent")
    call.signal("early", 0, "")
    assert not call.audible("customer")
    call.signal("answered", 3000, "")
    assert call.audible("agent")
    assert call.audible("customer")
    call.signal("ended", 9000, "")
    assert not call.audible("agent")
    call.signal("answered", 9500, "")
    assert not call.audible("agent")


def test_who_holds_is_not_audible_the_other_side_is() -> None:
    call = Call("c")
    call.signal("answered", 0, "")
    call.signal("hold", 1000, "customer")
    assert not call.audible("customer")
    assert call.audible("agent")
    assert running(call, 2000) == (1000, "hold")
    call.signal("resume", 3000, "customer")
    assert call.audible("customer")
    call.signal("hold", 4000, "")
    assert not call.audible("agent")


def test_music_mute_and_transfer_are_causes() -> None:
    call = Call("c")
    call.signal("answered", 0, "")
    call.signal("music", 1000, "customer")
    assert not call.audible("customer")
    assert running(call, 1500) == (1000, "music")
    call.signal("resume", 2000, "")
    call.signal("muted", 3000, "agent")
    assert call.muted
    assert running(call, 3500) == (3000, "agent_muted")
    call.signal("unmuted", 4000, "agent")
    assert not call.muted
    call.signal("muted", 5000, "customer")
    call.signal("unmuted", 5500, "customer")
    assert running(call, 6000) == (4000, "unexplained")
    call.signal("transfer", 7000, "")
    assert call.audible("agent")
    assert running(call, 7500) == (7000, "ringing")
    call.signal("transferred", 8000, "")
    assert running(call, 8500) == (8000, "unexplained")


def test_a_recalled_call_goes_on_and_what_was_missed_is_tap_loss() -> None:
    call = Call("c")
    call.ms(1_000_000)
    call.timeline.lane(1, "agent", 0)
    call.signal("answered", 0, "")
    call.signal("hold", 2000, "customer")
    call.timeline.opened(1, 100)
    call.timeline.grown(1, 2500, 2500)
    call.timeline.settle(2500)
    again = Call.recall(call.memory())
    assert again.ms(1_020_000) == 20
    assert not again.audible("customer")
    assert again.timeline.state.ledger.agent_ms == 2400
    assert again.timeline.state.lanes[1].spurts == [(100, 2500)]
    assert running(again, 6000) == (2500, "tap_lost")
    again.begun(1, 7000)
    assert running(again, 8000) == (7000, "hold")


def test_the_first_packet_of_a_leg_ends_its_lack_of_packets() -> None:
    call = Call("c")
    call.signal("answered", 0, "")
    call.timeline.state.causes.begin("no_packets", 0, "1")
    assert running(call, 400) == (0, "no_packets")
    call.begun(1, 500)
    assert running(call, 900) == (500, "unexplained")
