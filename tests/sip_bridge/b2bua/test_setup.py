import pytest

from sip_bridge.hooks import (
    CallAnswered,
    CallEnded,
    CallEvent,
    CallProgress,
    CallReferred,
    CallStarted,
    Hop,
    SdpRole,
    Side,
)
from tests.sip_stage import SDP_A, SDP_B, Stage


def test_a_call_from_invite_to_answer() -> None:
    stage = Stage()
    stage.invite("X-Queue: sales")
    assert stage.caller.statuses("INVITE") == [100]
    invite = stage.callee.request("INVITE")
    assert invite.body == SDP_A + b"a=anchored\r\n"
    assert invite.uri == "sip:callee@127.0.0.1:5080"
    stage.callee.answer(invite, 100, contact=False)
    stage.callee.answer(invite, 180, tag="bt")
    stage.callee.answer(invite, 200, body=SDP_B, tag="bt")
    ok = stage.caller.response(200)
    assert ok.body == SDP_B + b"a=anchored\r\n"
    assert ok.get("contact") == "<sip:127.0.0.1:5070>"
    assert stage.callee.request("ACK").cseq == (invite.cseq.number, "ACK")
    stage.caller.send(stage.ask("ACK", 1, to_tag=ok.to_tag))
    assert len(stage.callee.requests("ACK")) == 1
    assert stage.observer.names == ["CallStarted", "CallProgress", "CallAnswered"]
    started = stage.observer.events[0]
    assert isinstance(started, CallStarted)
    assert started.headers["x-queue"] == ("sales",)
    assert (started.caller_call_id, started.callee_call_id) == ("c1", invite.call_id)
    assert stage.media.seen == [(Side.CALLER, SdpRole.OFFER), (Side.CALLEE, SdpRole.ANSWER)]
    assert stage.journal[stage.key] is not None


def test_early_media_and_the_same_description_again() -> None:
    stage = Stage()
    stage.ring(status=183, body=SDP_B)
    stage.callee.answer(stage.callee.request("INVITE"), 200, body=SDP_B, tag="bt")
    assert [role for _, role in stage.media.seen] == [SdpRole.OFFER, SdpRole.ANSWER, SdpRole.REPEAT]
    assert CallProgress(stage.key, 183, early_media=True) in stage.observer.events


def test_a_late_offer_waits_for_its_answer() -> None:
    stage = Stage()
    stage.invite(body=b"")
    invite = stage.callee.request("INVITE")
    assert invite.body == b""
    stage.callee.answer(invite, 200, body=SDP_B, tag="bt")
    stage.callee.answer(invite, 200, body=SDP_B, tag="bt")
    assert stage.callee.requests("ACK") == []
    tag = stage.caller.response(200).to_tag
    stage.caller.send(stage.ask("ACK", 1, to_tag=tag, body=SDP_A))
    assert stage.callee.request("ACK").body == SDP_A + b"a=anchored\r\n"
    assert stage.media.seen == [(Side.CALLEE, SdpRole.OFFER), (Side.CALLER, SdpRole.ANSWER)]
    stage.callee.answer(invite, 200, body=SDP_B, tag="bt")
    assert len(stage.callee.requests("ACK")) == 2


def test_a_repeated_200_gets_its_ack_again() -> None:
    stage = Stage()
    stage.talk()
    stage.callee.answer(stage.callee.request("INVITE"), 200, body=SDP_B, tag="bt")
    first, second = stage.callee.requests("ACK")
    assert first.encode() == second.encode()


@pytest.mark.parametrize(("status", "contacts"), [(486, 0), (302, 1), (485, 1)])
def test_a_refusal_is_passed(status: int, contacts: int) -> None:
    stage = Stage()
    stage.ring()
    stage.callee.answer(stage.callee.request("INVITE"), status, "X-Why: busy", tag="bt")
    refusal = stage.caller.response(status)
    assert refusal.get("x-why") == "busy"
    assert len(refusal.all("contact")) == contacts
    assert not stage.b2bua.calls
    assert CallEnded(stage.media.over[0], status, "Said", Side.CALLEE) in stage.observer.events


def test_a_callee_that_never_answers_is_408() -> None:
    stage = Stage()
    stage.invite()
    stage.advance(33)
    assert stage.caller.statuses("INVITE")[1] == 408
    assert not stage.b2bua.calls


def test_a_phone_that_rings_for_ever_is_cancelled() -> None:
    stage = Stage()
    stage.ring()
    stage.advance(182)
    cancel = stage.callee.request("CANCEL")
    stage.callee.answer(cancel, 200, tag="bt")
    stage.callee.answer(stage.callee.request("INVITE"), 487, tag="bt")
    assert 487 in stage.caller.statuses("INVITE")


def test_every_early_dialog_is_mirrored_and_only_the_winner_stays() -> None:
    stage = Stage()
    one = stage.ring()
    invite = stage.callee.request("INVITE")
    stage.callee.answer(invite, 180, tag="b2")
    two = stage.caller.response(180).to_tag
    assert one != two
    assert stage.b2bua.dialogs == 4
    stage.callee.answer(invite, 200, body=SDP_B, tag="b2")
    assert stage.caller.response(200).to_tag == two
    assert stage.b2bua.dialogs == 2
    stage.callee.answer(invite, 200, body=SDP_B, tag="bt")
    assert [request.to_tag for request in stage.callee.requests("BYE")] == ["bt"]
    assert stage.caller.statuses("INVITE").count(200) == 1
    stage.callee.answer(invite, 180, tag="b3")
    assert stage.caller.statuses("INVITE").count(180) == 2


def test_a_callee_that_rings_without_a_tag_keeps_its_dialog() -> None:
    stage = Stage()
    stage.invite()
    invite = stage.callee.request("INVITE")
    stage.callee.answer(invite, 180)
    tag = stage.caller.response(180).to_tag
    stage.callee.answer(invite, 200, body=SDP_B, tag="bt")
    assert stage.caller.response(200).to_tag == tag
    assert stage.b2bua.dialogs == 2
    stage.callee.send(stage.back("BYE", 1))
    assert stage.caller.requests("BYE")


def test_a_200_that_crosses_the_cancel_is_acknowledged_and_ended() -> None:
    stage = Stage()
    stage.ring()
    via = stage.caller.response(180).via
    assert via is not None
    stage.caller.send(stage.ask("CANCEL", 1, "Reason: SIP;cause=200", branch=via.branch))
    assert stage.callee.request("CANCEL").get("reason") == "SIP;cause=200"
    stage.callee.answer(stage.callee.request("INVITE"), 200, body=SDP_B, tag="bt")
    assert stage.callee.requests("ACK")
    assert stage.callee.requests("BYE")
    assert stage.caller.statuses("INVITE") == [100, 180, 487]
    assert not stage.b2bua.calls


def test_a_fork_that_answers_after_everything_is_forgotten_is_left_alone() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("BYE", 2, to_tag=tag))
    stage.callee.answer(stage.callee.request("BYE"), 200)
    stage.advance(6)
    stage.callee.answer(stage.callee.request("INVITE"), 200, body=SDP_B, tag="late")
    assert len(stage.callee.requests("ACK")) == 1


def test_an_answer_nobody_acknowledges_ends_the_call() -> None:
    stage = Stage()
    stage.ring()
    stage.callee.answer(stage.callee.request("INVITE"), 200, body=SDP_B, tag="bt")
    stage.advance(33)
    assert stage.caller.requests("BYE")
    assert stage.callee.requests("BYE")
    assert CallAnswered(stage.media.over[0]) in stage.observer.events


def test_record_routes_of_the_caller_come_back() -> None:
    stage = Stage()
    stage.ring("Record-Route: <sip:p1;lr>", "Record-Route: <sip:p2;lr>")
    assert stage.caller.response(180).all("record-route") == ["<sip:p1;lr>", "<sip:p2;lr>"]


def test_an_invite_that_joins_a_call_says_so() -> None:
    stage = Stage()
    tag = stage.talk()
    first = stage.key
    stage.invite(f"Replaces: c1;to-tag={tag};from-tag=at", call_id="c2")
    (referred,) = [event for event in stage.observer.events if isinstance(event, CallReferred)]
    assert (referred.sender, referred.joins) == (Side.CALLER, first)


def test_a_callee_behind_a_translator_is_reached_where_the_invite_went() -> None:
    stage = Stage(callee=Hop("udp", "8.8.8.8", 4444))
    stage.invite()
    invite = stage.callee.request("INVITE")
    stage.callee.send(
        b"SIP/2.0 200 OK\r\n"
        + b"".join(f"Via: {via}\r\n".encode() for via in invite.all("via"))
        + f"From: {invite.get('from')}\r\nTo: {invite.get('to')};tag=bt\r\nCall-ID: {invite.call_id}\r\n"
        f"CSeq: {invite.get('cseq')}\r\nContact: <sip:x@192.168.1.7:5060>\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert stage.callee.request("ACK").uri == "sip:x@192.168.1.7:5060"


def test_a_refusal_after_another_fork_answered_changes_nothing() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.callee.answer(stage.callee.request("INVITE"), 486, tag="b9")
    stage.caller.send(stage.ask("INFO", 2, to_tag=tag))
    assert len(stage.callee.requests("INFO")) == 1


def test_ringing_after_the_caller_gave_up_is_not_passed() -> None:
    stage = Stage()
    stage.ring()
    via = stage.caller.response(180).via
    assert via is not None
    stage.caller.send(stage.ask("CANCEL", 1, branch=via.branch))
    stage.callee.answer(stage.callee.request("INVITE"), 183, tag="bt")
    assert stage.caller.statuses("INVITE") == [100, 180, 487]
    stage.callee.answer(stage.callee.request("INVITE"), 487, tag="bt")
    assert not stage.b2bua.calls


def test_an_observer_may_hang_up_before_the_invite_goes_out() -> None:
    stage = Stage()

    def on_call(event: CallEvent, now: float) -> None:
        if isinstance(event, CallStarted):
            assert stage.b2bua.hang_up(event.call, "not now", now)

    stage.observer.on_call = on_call  # type: ignore[method-assign]
    stage.invite()
    assert stage.caller.statuses("INVITE") == [100, 480]
    assert stage.callee.inbox == []
    assert not stage.b2bua.calls
