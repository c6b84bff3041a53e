import pytest

from sip_bridge.hooks import CallEnded, Side
from tests.sip_stage import SDP_A, SDP_B, Stage


def ended(stage: Stage) -> CallEnded:
    (event,) = [event for event in stage.observer.events if isinstance(event, CallEnded)]
    assert stage.media.over == [event.call]
    return event


def test_a_bye_is_answered_at_once_and_passed_on_with_its_reason() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("BYE", 2, "Reason: Q.850;cause=16", to_tag=tag))
    assert stage.caller.statuses("BYE") == [200]
    assert stage.callee.request("BYE").get("reason") == "Q.850;cause=16"
    assert (ended(stage).status, ended(stage).by) == (200, Side.CALLER)
    assert stage.journal[ended(stage).call] is None
    stage.callee.answer(stage.callee.request("BYE"), 200)
    stage.callee.send(stage.back("INFO", 8))
    assert stage.callee.statuses("INFO") == [481]


def test_the_callee_may_hang_up() -> None:
    stage = Stage()
    stage.talk()
    stage.callee.send(stage.back("BYE", 1))
    assert stage.caller.request("BYE").cseq.number == 1
    assert ended(stage).by is Side.CALLEE


def test_the_bridge_hangs_up_both_sides() -> None:
    stage = Stage()
    stage.talk()
    key = stage.key
    assert stage.b2bua.hang_up(key, 'no "audio"', stage.now)
    stage.deliver()
    for peer in stage.peers:
        assert peer.request("BYE").get("reason") == 'SIP ;cause=200 ;text="no audio"'
    assert (ended(stage).reason, ended(stage).by) == ("no audio", None)
    assert not stage.b2bua.hang_up(key, "again", stage.now)


def test_the_bridge_gives_up_a_ringing_call() -> None:
    stage = Stage()
    stage.ring()
    assert stage.b2bua.hang_up(stage.key, "drained", stage.now)
    stage.deliver()
    assert stage.caller.response(480).get("reason") == 'SIP ;cause=200 ;text="drained"'
    assert stage.callee.request("CANCEL").get("reason") is not None
    assert ended(stage).status == 480
    assert not stage.b2bua.hang_up(stage.key, "again", stage.now)
    stage.callee.answer(stage.callee.request("INVITE"), 487, tag="bt")
    assert not stage.b2bua.calls


def test_a_caller_may_bye_what_only_rings() -> None:
    stage = Stage()
    tag = stage.ring()
    stage.caller.send(stage.ask("BYE", 2, to_tag=tag))
    assert stage.caller.statuses("BYE") == [200]
    assert stage.caller.response(487).to_tag == tag
    assert len(stage.callee.requests("CANCEL")) == 1
    assert ended(stage).status == 487


def test_a_callee_may_not() -> None:
    stage = Stage()
    stage.ring()
    stage.callee.send(stage.back("BYE", 1))
    assert stage.callee.statuses("BYE") == [200]
    assert stage.key


@pytest.mark.parametrize("by_caller", [True, False])
def test_a_bye_while_a_reinvite_is_under_way(by_caller: bool) -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INVITE", 2, to_tag=tag, body=SDP_A))
    reinvite = stage.callee.requests("INVITE")[1]
    stage.callee.answer(reinvite, 100, contact=False)
    if by_caller:
        stage.caller.send(stage.ask("BYE", 3, to_tag=tag))
    else:
        stage.callee.send(stage.back("BYE", 1))
    assert stage.caller.response(487).cseq.number == 2
    assert stage.callee.request("CANCEL").via == reinvite.via
    stage.callee.answer(reinvite, 200, body=SDP_B)
    assert stage.callee.request("ACK").cseq.number == reinvite.cseq.number
    stage.advance(40)
    assert not stage.layer.clients
    assert len(ended(stage).call) > 0


def test_a_cancel_that_comes_too_late_changes_nothing() -> None:
    stage = Stage()
    stage.invite()
    branch = stage.caller.response(100).via
    assert branch is not None
    cancel = stage.ask("CANCEL", 1, branch=branch.branch)
    stage.caller.send(cancel)
    stage.caller.send(stage.ask("CANCEL", 1, branch=branch.branch))
    assert stage.caller.statuses("INVITE").count(487) == 1


def test_an_ack_that_comes_after_the_hang_up_still_ends_the_repeats() -> None:
    stage = Stage()
    tag = stage.ring()
    stage.callee.answer(stage.callee.request("INVITE"), 200, body=SDP_B, tag="bt")
    stage.callee.send(stage.back("BYE", 1))
    stage.caller.send(stage.ask("ACK", 1, to_tag=tag))
    stage.advance(20)
    assert stage.caller.statuses("INVITE").count(200) == 1


def test_a_bye_in_a_cancelled_call_is_answered() -> None:
    stage = Stage()
    tag = stage.ring()
    stage.b2bua.hang_up(stage.key, "over", stage.now)
    stage.caller.send(stage.ask("BYE", 2, to_tag=tag))
    assert stage.caller.statuses("BYE") == [200]
    assert stage.callee.requests("BYE") == []
