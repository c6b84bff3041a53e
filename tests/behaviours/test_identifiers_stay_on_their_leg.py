"""Promise: the two legs of a call share no identifier, so that a call through the same system twice cannot loop.

Call-ID, tags, branch and Contact of one leg never appear on the other, whatever is sent in a call with transfer,
hold, provisional acknowledgement and hang-up; and nothing else is lost.
"""

from __future__ import annotations

from tests.sip_stage import SDP_A, SDP_B, Stage


def test_no_identifier_of_one_leg_is_seen_on_the_other() -> None:
    stage = Stage()
    stage.invite("Supported: 100rel", "X-Passed: yes", call_id="secret-call-id")
    invite = stage.callee.request("INVITE")
    stage.callee.answer(invite, 183, "Require: 100rel", "RSeq: 1", body=SDP_B, tag="secret-tag")
    tag = stage.caller.response(183).to_tag

    def ask(method: str, cseq: int, *extra: str, body: bytes = b"") -> bytes:
        return stage.ask(method, cseq, *extra, body=body, to_tag=tag, call_id="secret-call-id")

    stage.caller.send(ask("PRACK", 2, "RAck: 1 1 INVITE"))
    stage.callee.answer(stage.callee.request("PRACK"), 200)
    stage.callee.answer(invite, 200, body=SDP_B, tag="secret-tag")
    stage.caller.send(ask("ACK", 1))
    stage.caller.send(ask("INVITE", 3, body=SDP_A))
    stage.callee.answer(stage.callee.request("INVITE"), 200, body=SDP_B)
    stage.caller.send(ask("ACK", 3))
    stage.caller.send(ask("REFER", 4, f"Refer-To: <sip:x@y?Replaces=secret-call-id%3Bto-tag%3D{tag}%3Bfrom-tag%3Dat>"))
    stage.callee.answer(stage.callee.request("REFER"), 202)
    stage.caller.send(ask("BYE", 5))
    towards_callee = b"".join(message.encode() for message in stage.callee.inbox)
    towards_caller = b"".join(message.encode() for message in stage.caller.inbox)
    assert b"X-Passed: yes" in towards_callee
    for secret in (b"secret-call-id", b"tag=at", tag.encode(), b"z9hG4bKtest", b":5061"):
        assert secret not in towards_callee, secret
    for secret in (b"secret-tag", invite.call_id.encode(), invite.from_tag.encode(), b":5080"):
        assert secret not in towards_caller, secret
