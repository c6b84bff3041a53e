import pytest

from sip_bridge.hooks import CallReferred, SdpRole, Side, TransferProgress
from tests.sip_stage import SDP_A, SDP_B, Stage

HOLD = SDP_A + b"a=sendonly\r\n"


def test_hold_and_resume_from_the_caller() -> None:
    stage = Stage()
    tag = stage.talk()
    for cseq in (2, 3):
        stage.caller.send(stage.ask("INVITE", cseq, to_tag=tag, body=HOLD))
        again = stage.callee.request("INVITE")
        assert b"sendonly" in again.body
        stage.callee.answer(again, 200, body=SDP_B)
        assert stage.callee.request("ACK").cseq.number == again.cseq.number
        stage.callee.answer(again, 200, body=SDP_B)
        assert len(stage.callee.requests("ACK")) == 1 + 2 * (cseq - 1)
        stage.caller.send(stage.ask("ACK", cseq, to_tag=tag))
    assert [role for _, role in stage.media.seen[2:]] == [SdpRole.OFFER, SdpRole.ANSWER] * 2


def test_hold_from_the_callee() -> None:
    stage = Stage()
    stage.talk()
    stage.callee.send(stage.back("INVITE", 1, body=HOLD))
    again = stage.caller.request("INVITE")
    assert again.cseq.number == 1
    stage.caller.answer(again, 200, body=SDP_B)
    assert stage.callee.response(200).body.startswith(SDP_B)
    stage.callee.send(stage.back("ACK", 1))
    assert len(stage.caller.requests("ACK")) == 1
    assert (Side.CALLEE, SdpRole.OFFER) in stage.media.seen


def test_a_late_offer_inside_a_call() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INVITE", 2, to_tag=tag))
    again = stage.callee.request("INVITE")
    assert again.body == b""
    stage.callee.answer(again, 200, body=SDP_B)
    stage.callee.answer(again, 200, body=SDP_B)
    assert len(stage.callee.requests("ACK")) == 1
    stage.caller.send(stage.ask("ACK", 2, to_tag=tag, body=SDP_A))
    assert stage.callee.request("ACK").body.startswith(SDP_A)
    assert stage.media.seen[2:] == [(Side.CALLEE, SdpRole.OFFER), (Side.CALLER, SdpRole.ANSWER)]


def test_a_refused_reinvite_leaves_the_call_and_tells_the_media() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INVITE", 2, to_tag=tag, body=HOLD))
    stage.callee.answer(stage.callee.request("INVITE"), 488)
    assert 488 in stage.caller.statuses("INVITE")
    assert stage.media.refusals == [Side.CALLER]
    stage.caller.send(stage.ask("INVITE", 3, to_tag=tag, body=HOLD))
    assert len(stage.callee.requests("INVITE")) == 3


def test_a_refused_reinvite_without_offer_tells_the_media_nothing() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INVITE", 2, to_tag=tag))
    stage.callee.answer(stage.callee.request("INVITE"), 488)
    assert stage.media.refusals == []


@pytest.mark.parametrize("status", [481, 408])
def test_a_far_side_that_has_forgotten_the_call_ends_it(status: int) -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INVITE", 2, to_tag=tag, body=HOLD))
    stage.callee.answer(stage.callee.request("INVITE"), status)
    assert stage.caller.requests("BYE")
    assert not stage.b2bua.calls


def test_a_far_side_that_never_answers_a_reinvite_ends_it() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INVITE", 2, to_tag=tag, body=HOLD))
    stage.advance(33)
    assert 408 in stage.caller.statuses("INVITE")
    assert not stage.b2bua.calls


def test_a_reinvite_with_progress_and_cancel() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INVITE", 2, to_tag=tag, body=HOLD, branch="z9hG4bKre"))
    again = stage.callee.request("INVITE")
    stage.callee.answer(again, 100, contact=False)
    stage.callee.answer(again, 183, body=SDP_B)
    assert stage.caller.response(183).body.startswith(SDP_B)
    stage.caller.send(stage.ask("CANCEL", 2, "Reason: SIP;cause=600", to_tag=tag, branch="z9hG4bKre"))
    assert stage.callee.request("CANCEL").get("reason") == "SIP;cause=600"
    stage.callee.answer(again, 487)
    assert stage.caller.response(487).cseq.number == 2
    assert stage.key


def test_glare_is_491_for_the_second() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INVITE", 2, to_tag=tag, body=HOLD))
    stage.callee.send(stage.back("INVITE", 1, body=HOLD))
    assert stage.callee.statuses("INVITE") == [491]
    assert stage.caller.requests("INVITE") == []


def test_a_reinvite_before_the_answer_is_491() -> None:
    stage = Stage()
    tag = stage.ring()
    stage.caller.send(stage.ask("INVITE", 2, to_tag=tag, body=HOLD))
    assert 491 in stage.caller.statuses("INVITE")


def test_a_reinvite_whose_200_is_never_acknowledged_ends_the_call() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INVITE", 2, to_tag=tag, body=HOLD))
    stage.callee.answer(stage.callee.request("INVITE"), 200, body=SDP_B)
    stage.advance(33)
    assert stage.callee.requests("BYE")


@pytest.mark.parametrize("method", ["INFO", "MESSAGE", "OPTIONS", "SUBSCRIBE", "NOTIFY", "WHATEVER"])
def test_every_method_goes_over_and_its_answer_comes_back(method: str) -> None:
    stage = Stage()
    tag = stage.talk()
    body = bytes(range(256))
    stage.caller.send(stage.ask(method, 2, "Content-Type: application/x", to_tag=tag, body=body))
    far = stage.callee.request(method)
    assert (far.body, far.get("content-type")) == (body, "application/x")
    stage.callee.answer(far, 299, "X-A: 1", body=b"said")
    assert stage.caller.response(299, method).body == b"said"
    stage.callee.send(stage.back(method, 1))
    stage.caller.answer(stage.caller.request(method), 486)
    assert stage.callee.statuses(method) == [486]


def test_an_sdp_in_a_message_is_no_offer() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INFO", 2, to_tag=tag, body=SDP_A))
    assert stage.callee.request("INFO").body == SDP_A


def test_an_unanswered_request_is_504() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INFO", 2, to_tag=tag))
    stage.advance(33)
    assert stage.caller.statuses("INFO") == [504]
    assert stage.key


def test_update_carries_offer_and_answer_and_may_move_the_target() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("UPDATE", 2, "Contact: <sip:a@127.0.0.1:5099>", to_tag=tag, body=HOLD))
    moved = "Contact: <sip:moved@127.0.0.1:5080>"
    stage.callee.answer(stage.callee.request("UPDATE"), 200, moved, body=SDP_B, contact=False)
    assert stage.media.seen[2:] == [(Side.CALLER, SdpRole.OFFER), (Side.CALLEE, SdpRole.ANSWER)]
    dump = stage.b2bua.dump(stage.key)
    assert dump is not None
    assert dump["caller"]["target"] == "sip:a@127.0.0.1:5099"
    assert dump["callee"]["target"] == "sip:moved@127.0.0.1:5080"
    assert stage.journal[stage.key] == dump


@pytest.mark.parametrize(("status", "alive"), [(488, True), (481, False)])
def test_a_refused_update(status: int, alive: bool) -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("UPDATE", 2, to_tag=tag, body=HOLD))
    stage.callee.answer(stage.callee.request("UPDATE"), status)
    assert stage.media.refusals == [Side.CALLER]
    assert bool(stage.b2bua.calls) == alive


def test_a_refused_update_without_offer() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("UPDATE", 2, to_tag=tag))
    stage.callee.answer(stage.callee.request("UPDATE"), 488)
    assert stage.media.refusals == []


def test_an_offer_in_a_reliable_183_is_answered_in_the_prack() -> None:
    stage = Stage()
    stage.invite(body=b"")
    stage.callee.answer(stage.callee.request("INVITE"), 183, "Require: 100rel", "RSeq: 1", body=SDP_B, tag="bt")
    tag = stage.caller.response(183).to_tag
    stage.caller.send(stage.ask("PRACK", 2, "RAck: 1 1 INVITE", to_tag=tag, body=SDP_A))
    assert stage.media.seen == [(Side.CALLEE, SdpRole.OFFER), (Side.CALLER, SdpRole.ANSWER)]
    stage.callee.answer(stage.callee.request("PRACK"), 200)
    assert stage.caller.statuses("PRACK") == [200]


def test_a_new_offer_in_a_prack_is_answered_in_its_200() -> None:
    stage = Stage()
    stage.invite()
    stage.callee.answer(stage.callee.request("INVITE"), 183, "Require: 100rel", "RSeq: 1", body=SDP_B, tag="bt")
    tag = stage.caller.response(183).to_tag
    stage.caller.send(stage.ask("PRACK", 2, "RAck: 1 1 INVITE", to_tag=tag, body=HOLD))
    stage.callee.answer(stage.callee.request("PRACK"), 200, body=SDP_B)
    assert [role for _, role in stage.media.seen] == [SdpRole.OFFER, SdpRole.ANSWER] * 2


def test_an_old_sequence_number_is_500() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INFO", 1, to_tag=tag))
    assert stage.caller.statuses("INFO") == [500]
    assert stage.caller.response(500, "INFO").get("retry-after") == "1"


def test_no_hops_left_is_483() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INFO", 2, to_tag=tag).replace(b"Max-Forwards: 70", b"Max-Forwards: 0"))
    assert stage.caller.statuses("INFO") == [483]


def test_an_ack_of_another_invite_is_no_ack() -> None:
    stage = Stage()
    tag = stage.ring()
    stage.callee.answer(stage.callee.request("INVITE"), 200, body=SDP_B, tag="bt")
    stage.caller.send(stage.ask("ACK", 9, to_tag=tag))
    stage.advance(1)
    assert stage.caller.statuses("INFO") == []
    assert stage.caller.statuses("INVITE").count(200) == 2
    stage.caller.send(stage.ask("ACK", 1, to_tag="nobody"))
    stage.caller.send(stage.ask("ACK", 1, to_tag=tag))
    stage.caller.send(stage.ask("ACK", 1, to_tag=tag))
    stage.advance(8)
    assert stage.caller.statuses("INVITE").count(200) == 2


@pytest.mark.parametrize(
    ("refer_to", "target"), [("<sip:carol@h>", "sip:carol@h"), ("sip:carol@h", "sip:carol@h"), ("<broken", "<broken")]
)
def test_transfers_are_reported(refer_to: str, target: str) -> None:
    stage = Stage()
    stage.talk()
    stage.callee.send(stage.back("REFER", 1, f"Refer-To: {refer_to}"))
    assert CallReferred(stage.key, Side.CALLEE, target, None) in stage.observer.events


def test_an_attended_transfer_names_the_call_it_joins() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.callee.send(stage.back("REFER", 1, f"Refer-To: <sip:c@h?Replaces=c1%3Bto-tag%3D{tag}%3Bfrom-tag%3Dat>"))
    assert CallReferred(stage.key, Side.CALLEE, "sip:c@h", stage.key) in stage.observer.events


@pytest.mark.parametrize(("body", "status"), [(b"SIP/2.0 180 Ringing", 180), (b"SIP/2.0 xyz", None), (b"hello", None)])
def test_the_progress_of_a_transfer_is_reported(body: bytes, status: int | None) -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("NOTIFY", 2, "Event: refer", "Content-Type: message/sipfrag", to_tag=tag, body=body))
    told = [event.status for event in stage.observer.events if isinstance(event, TransferProgress)]
    assert told == ([status] if status else [])


def test_a_reinvite_refused_after_the_call_has_ended_changes_nothing() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INVITE", 2, to_tag=tag, body=HOLD))
    stage.callee.send(stage.back("BYE", 1))
    stage.callee.answer(stage.callee.request("INVITE"), 487)
    assert stage.media.refusals == []
    assert stage.caller.statuses("INVITE").count(487) == 1


def test_a_call_that_is_over_takes_nothing_but_a_bye() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("BYE", 2, to_tag=tag))
    stage.caller.send(stage.ask("INFO", 3, to_tag=tag))
    assert stage.caller.statuses("INFO") == [481]
    assert stage.callee.requests("INFO") == []


def test_a_reinvite_that_is_answered_after_the_end_is_acknowledged() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("INVITE", 2, to_tag=tag, body=HOLD))
    again = stage.callee.request("INVITE")
    stage.caller.send(stage.ask("BYE", 3, to_tag=tag))
    stage.callee.answer(again, 200, body=SDP_B)
    assert stage.callee.request("ACK").cseq.number == again.cseq.number
    assert stage.caller.statuses("INVITE")[-1] == 487
