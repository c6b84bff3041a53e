from urllib.parse import unquote

import pytest

from sip_bridge.b2bua.passing import replaces_in
from tests.sip_stage import Stage

STRANGE = (
    "X-Call-Ref: abc",
    "P-Asserted-Identity: <sip:+1@x>",
    "User-to-User: 56a3;encoding=hex",
    "Session-Expires: 90",
)


def test_headers_nobody_knows_go_over_in_their_order_and_ours_do_not() -> None:
    stage = Stage()
    stage.invite(*STRANGE, "Route: <sip:127.0.0.1:5070;lr>", "Record-Route: <sip:p;lr>", "Proxy-Require: x")
    passed = stage.callee.request("INVITE")
    names = [name for name, _ in passed.headers]
    assert [name for name in names if name.startswith(("x-", "p-", "user", "session"))] == [
        "x-call-ref", "p-asserted-identity", "user-to-user", "session-expires",
    ]  # fmt: skip
    assert not {"route", "record-route", "proxy-require"} & set(names)
    assert passed.get("call-id") != "c1"
    assert passed.get("max-forwards") == "69"
    assert len(passed.all("via")) == 1


def test_feature_tags_stay_on_our_contact() -> None:
    stage = Stage()
    stage.invite('Contact: <sip:alice@127.0.0.1:5061>;isfocus;+sip.instance="<urn:x>"')
    contact = stage.callee.request("INVITE").get("contact")
    assert contact == '<sip:127.0.0.1:5070>;isfocus;+sip.instance="<urn:x>"'


@pytest.mark.parametrize(
    "contact", ["Contact: <sip:a@127.0.0.1:5061>;x=1, <sip:b@h>", "Contact: sip:a@127.0.0.1:5061;x>;y"]
)
def test_odd_contacts_lend_no_feature_tags(contact: str) -> None:
    stage = Stage()
    stage.ring()
    stage.callee.send(stage.back("INFO", 1).replace(b"Contact: <sip:peer@127.0.0.1:5080>", contact.encode()))
    assert stage.caller.request("INFO").get("contact") == "<sip:127.0.0.1:5070>"


def test_a_transfer_names_the_dialog_as_its_target_knows_it() -> None:
    stage = Stage()
    first = stage.talk()
    stage.invite(call_id="c2")
    second = stage.callee.requests("INVITE")[1]
    stage.callee.answer(second, 200, tag="b2")
    replaces = f"{second.call_id}%3Bto-tag%3D{second.from_tag}%3Bfrom-tag%3Db2"
    stage.callee.send(stage.back("REFER", 7, f"Refer-To: <sip:carol@h?X=1&Replaces={replaces}>"))
    value = stage.caller.request("REFER").get("refer-to") or ""
    tag = stage.caller.response(200).to_tag
    assert unquote(value) == f"<sip:carol@h?X=1&Replaces=c2;to-tag=at;from-tag={tag}>"
    assert first != tag


def test_the_progress_of_a_transfer_carries_the_number_its_sender_knows() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.callee.send(stage.back("REFER", 7, "Refer-To: <sip:carol@h>"))
    refer = stage.caller.request("REFER")
    for event, want in (
        (f"refer;id={refer.cseq.number}", "refer;id=7"),
        ("refer;id=99", "refer;id=99"),
        ("refer", "refer"),
    ):
        stage.caller.send(stage.ask("NOTIFY", stage.serial(), f"Event: {event}", to_tag=tag))
        assert stage.callee.request("NOTIFY").get("event") == want


def test_a_prack_names_the_invite_of_its_own_leg() -> None:
    stage = Stage()
    stage.invite("Supported: 100rel")
    invite = stage.callee.request("INVITE")
    stage.callee.answer(invite, 183, "Require: 100rel", "RSeq: 7", tag="bt")
    tag = stage.caller.response(183).to_tag
    assert stage.caller.response(183).get("rseq") == "7"
    stage.caller.send(stage.ask("PRACK", 2, "RAck: 7 1 INVITE", to_tag=tag))
    assert stage.callee.request("PRACK").get("rack") == f"7 {invite.cseq.number} INVITE"
    stage.caller.send(stage.ask("PRACK", 3, "RAck: 7", to_tag=tag))
    assert stage.callee.request("PRACK").get("rack") is None


def test_replaces_among_the_headers_of_a_uri() -> None:
    assert replaces_in("A=b&replaces=x%3By") == "x;y"
    assert replaces_in("A=b") == ""


def test_a_pickup_names_the_dialog_as_its_target_knows_it() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.invite(f"Replaces: c1;to-tag={tag};from-tag=at", call_id="c2")
    first, second = stage.callee.requests("INVITE")
    assert second.get("replaces") == f"{first.call_id};to-tag=bt;from-tag={first.from_tag}"
