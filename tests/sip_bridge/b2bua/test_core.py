import json
from typing import Any

import pytest

from sip_bridge.b2bua.core import B2bua, B2buaSettings
from sip_bridge.hooks import Hop, Refuse
from tests.sip_stage import SDP_A, SDP_B, Stage


def status(stage: Stage, data: bytes) -> int:
    before = len(stage.caller.inbox)
    stage.caller.send(data)
    (answer,) = stage.caller.inbox[before:]
    return int(answer.encode().split()[1])


@pytest.mark.parametrize(
    ("method", "extra", "uri", "want"),
    [
        ("FOOBAR", (), "sip:b@127.0.0.1", 405),
        ("BYE", (), "sip:b@127.0.0.1", 481),
        ("UPDATE", (), "sip:b@127.0.0.1", 481),
        ("INVITE", (), "tel:123", 416),
        ("INVITE", (), "sip:a@b@c", 400),
        ("INVITE", ("Contact: <tel:1>",), "sip:b@127.0.0.1", 400),
        ("INVITE", ("Contact: <broken",), "sip:b@127.0.0.1", 400),
        ("OPTIONS", ("Require: nothing, else",), "sip:b@127.0.0.1", 420),
        ("OPTIONS", (), "sip:b@127.0.0.1", 200),
    ],
)
def test_what_is_answered_without_asking_anybody(method: str, extra: tuple[str, ...], uri: str, want: int) -> None:
    stage = Stage()
    assert status(stage, stage.ask(method, 1, *extra, uri=uri)) == want
    assert stage.router.asked == []
    assert not stage.b2bua.calls


def test_hops_and_tags() -> None:
    stage = Stage()
    no_hops = stage.ask("INVITE", 1).replace(b"Max-Forwards: 70", b"Max-Forwards: 0")
    assert status(stage, no_hops) == 483
    assert status(stage, stage.ask("OPTIONS", 1).replace(b"Max-Forwards: 70", b"Max-Forwards: 0")) == 200
    assert status(stage, stage.ask("INVITE", 1).replace(b";tag=at", b"")) == 400


def test_a_caller_of_rfc_2543_needs_no_tag_and_no_contact() -> None:
    stage = Stage()
    data = stage.ask("INVITE", 1, branch="old").replace(b";tag=at", b"").replace(b";rport", b"")
    data = data.replace(b"Contact: <sip:alice@127.0.0.1:5061>\r\n", b"")
    stage.caller.send(data)
    stage.callee.answer(stage.callee.request("INVITE"), 200, body=SDP_B, tag="bt")
    stage.callee.send(stage.back("BYE", 1))
    assert stage.caller.request("BYE").uri == "sip:127.0.0.1:5061"


def test_while_draining_new_calls_are_503_and_old_ones_go_on() -> None:
    stage = Stage(B2buaSettings(retry_after=11))
    tag = stage.talk()
    stage.b2bua.draining = True
    assert not stage.b2bua.idle
    assert status(stage, stage.ask("INVITE", 1, call_id="c2")) == 503
    assert stage.caller.response(503).get("retry-after") == "11"
    stage.caller.send(stage.ask("INVITE", 2, to_tag=tag, body=SDP_A))
    assert len(stage.callee.requests("INVITE")) == 2
    stage.caller.send(stage.ask("BYE", 3, to_tag=tag))
    stage.advance(6)
    assert stage.b2bua.idle


def test_a_full_bridge_says_so() -> None:
    stage = Stage(B2buaSettings(max_calls=0))
    assert status(stage, stage.ask("INVITE", 1)) == 503


def test_the_router_may_refuse() -> None:
    stage = Stage()
    stage.router.refusal = Refuse(403, "Not You")
    assert status(stage, stage.ask("INVITE", 1)) == 403
    assert stage.caller.response(403).reason == "Not You"


def test_a_request_in_a_dialog_nobody_knows_is_481() -> None:
    stage = Stage()
    assert status(stage, stage.ask("BYE", 1, to_tag="nobody")) == 481
    assert status(stage, stage.ask("INVITE", 1, to_tag="nobody")) == 481


def test_a_call_to_a_registered_phone_goes_to_its_source_address() -> None:
    stage = Stage()
    phone = Hop("udp", "8.8.8.8", 4444)
    data = {
        "token": "0123456789abcdef", "aor": "sip:a@b", "contact": "sip:p@192.168.1.2", "hop": ["udp", "8.8.8.8", 4444],
        "expires_at": 1e9,
    }  # fmt: skip
    assert stage.registrar.restore(data, stage.now)
    stage.callee.hop = phone
    stage.invite(uri="sip:0123456789abcdef@127.0.0.1:5070")
    assert stage.callee.request("INVITE").uri == "sip:p@192.168.1.2"
    stage.callee.answer(stage.callee.request("INVITE"), 200, body=SDP_B, tag="bt")
    assert stage.callee.requests("ACK")


def test_a_restarted_bridge_goes_on_with_the_call() -> None:
    before = Stage()
    tag = before.talk()
    before.callee.send(before.back("REFER", 1, "Refer-To: <sip:c@h>"))
    dump = before.journal[before.key]
    assert dump is not None
    after = Stage()
    assert after.b2bua.restore(json.loads(json.dumps(dump)), after.now) == dump["call"]
    assert after.b2bua.restore(dump, after.now) is None
    after.callee.inbox = before.callee.inbox
    after.caller.send(after.ask("INVITE", 2, to_tag=tag, body=SDP_A))
    again = after.callee.request("INVITE")
    assert again.cseq.number > before.callee.requests("INVITE")[0].cseq.number
    after.callee.answer(again, 200, body=SDP_B)
    after.caller.send(after.ask("ACK", 2, to_tag=tag))
    number = {side: ours for side, ours, _ in dump["refer_ids"]}["a"]
    after.caller.send(after.ask("NOTIFY", 3, f"Event: refer;id={number}", to_tag=tag))
    assert after.callee.request("NOTIFY").get("event") == "refer;id=1"
    after.caller.send(after.ask("BYE", 4, to_tag=tag))
    assert after.callee.request("BYE").to_tag == "bt"
    assert after.observer.names[-1] == "CallEnded"


def test_damaged_records_are_left_out() -> None:
    stage = Stage()
    damaged: dict[str, Any] = {"version": 1}
    assert stage.b2bua.restore(damaged, 0.0) is None
    assert stage.b2bua.dump("nobody") is None
    assert not stage.b2bua.hang_up("nobody", "x", 0.0)


def test_a_bridge_without_registrar_makes_its_own() -> None:
    stage = Stage()
    B2bua(stage.layer, stage.router, stage.media, stage.observer)
    assert status(stage, stage.ask("OPTIONS", 1)) == 200


def test_requests_that_are_no_calls_go_to_the_registrar() -> None:
    stage = Stage()
    stage.caller.send(stage.ask("MESSAGE", 1))
    assert stage.callee.request("MESSAGE").call_id == "c1"
    phone = Hop("udp", "8.8.8.8", 4444)
    data = {
        "token": "0123456789abcdef", "aor": "sip:a@b", "contact": "sip:p@192.168.1.2", "hop": ["udp", "8.8.8.8", 4444],
        "expires_at": 1e9,
    }  # fmt: skip
    assert stage.registrar.restore(data, stage.now)
    stage.callee.hop = phone
    uri = "sip:0123456789abcdef@127.0.0.1:5070"
    stage.caller.send(stage.ask("NOTIFY", 1, "Event: dialog", to_tag="subscriber", uri=uri))
    assert stage.callee.request("NOTIFY").uri == "sip:p@192.168.1.2"
    assert not stage.b2bua.calls


def test_an_ack_of_no_call_goes_nowhere_and_dialogs_are_counted() -> None:
    stage = Stage()
    stage.caller.send(stage.ask("ACK", 1, to_tag="nobody"))
    assert (stage.callee.inbox, stage.caller.inbox, stage.b2bua.dialogs) == ([], [], 0)
    stage.talk()
    assert stage.b2bua.dialogs == 2
