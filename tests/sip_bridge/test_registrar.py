from typing import Any

import pytest

from sip_bridge.hooks import Hop, Refuse
from sip_bridge.message import Response
from sip_bridge.registrar import GRACE, RegistrarLimits
from tests.sip_stage import Stage

PHONE = Hop("udp", "8.8.8.8", 4444)
OWN = "<sip:alice@192.168.1.2:5060>"


def stage(limits: RegistrarLimits | None = None) -> Stage:
    return Stage(caller=PHONE, registrar_limits=limits)


def register(play: Stage, *extra: str, contact: str = OWN, cseq: int = 1) -> str:
    """Send a REGISTER and return the Contact the PBX saw."""
    contacts = (f"Contact: {contact}",) if contact else ("Contact: ",)
    play.caller.send(play.ask("REGISTER", cseq, *contacts, *extra, uri="sip:pbx.example"))
    return play.callee.request("REGISTER").get("contact") or ""


def accept(play: Stage, *contacts: str, extra: tuple[str, ...] = ()) -> Response:
    request = play.callee.request("REGISTER")
    play.callee.answer(request, 200, *(f"Contact: {value}" for value in contacts), *extra, tag="r", contact=False)
    return play.caller.response(200, "REGISTER")


def registered(play: Stage) -> str:
    """Register the phone; return its token."""
    seen = register(play)
    accept(play, f"{seen};expires=60")
    (token,) = [key for key, dump in play.bindings.items() if dump]
    return token


def test_a_phone_registers_through_us() -> None:
    play = stage()
    seen = register(play, "Authorization: Digest x", "Expires: 300", contact=f"{OWN};q=0.5")
    request = play.callee.request("REGISTER")
    assert (request.call_id, request.from_tag, request.cseq.number) == ("c1", "at", 1)
    assert request.get("authorization") == "Digest x"
    assert request.max_forwards == 69
    assert seen.endswith("@127.0.0.1:5070>;q=0.5")
    assert "192.168" not in seen
    answer = accept(play, f"{seen};expires=60", "<sip:other@pbx>;expires=9")
    assert answer.items("contact") == [f"{OWN};q=0.5;expires=60", "<sip:other@pbx>;expires=9"]
    assert answer.to_tag == "r"
    ((token, dump),) = play.bindings.items()
    assert dump == {
        "token": token, "aor": "sip:bob@127.0.0.1", "contact": "sip:alice@192.168.1.2:5060",
        "hop": ["udp", "8.8.8.8", 4444, 0], "expires_at": play.now + 60 + GRACE,
    }  # fmt: skip
    assert play.registrar.dump(token) == dump
    assert play.registrar.dump("nobody") is None


@pytest.mark.parametrize(("status", "header"), [(401, "WWW-Authenticate"), (407, "Proxy-Authenticate")])
def test_challenges_pass_end_to_end_and_bind_nothing(status: int, header: str) -> None:
    play = stage()
    register(play)
    challenge = 'Digest realm="pbx", nonce="1"'
    play.callee.answer(play.callee.request("REGISTER"), status, f"{header}: {challenge}", tag="r", contact=False)
    assert play.caller.response(status, "REGISTER").get(header.lower()) == challenge
    assert len(play.registrar) == 0


def test_a_refresh_keeps_the_token_and_learns_a_new_source() -> None:
    play = stage()
    token = registered(play)
    play.caller.hop = Hop("udp", "8.8.4.4", 5555)
    seen = register(play, cseq=2)
    assert f":{token}@" in seen
    accept(play, f"{seen};expires=60")
    binding = play.registrar.locate(f"sip:{token}@127.0.0.1:5070")
    assert binding is not None
    assert binding.hop.host == "8.8.4.4"
    assert len(play.registrar) == 1


def test_a_binding_ends_with_its_time() -> None:
    play = stage()
    token = registered(play)
    play.advance(60 + GRACE + 1)
    assert play.bindings == {token: None}
    assert play.registrar.locate(f"sip:{token}@127.0.0.1:5070") is None
    assert play.registrar.locate("sip:127.0.0.1") is None


def test_an_unregistered_phone_is_forgotten() -> None:
    play = stage()
    token = registered(play)
    assert register(play, "Expires: 0", contact="*", cseq=2) == "*"
    accept(play)
    assert play.bindings == {token: None}


def test_each_phone_sees_its_own_contact_and_those_of_the_others() -> None:
    play = stage()
    registered(play)
    first = play.callee.request("REGISTER").get("contact")
    second = register(play, contact="<sip:alice@10.9.9.9>", cseq=2)
    answer = accept(play, f"{first};expires=50, {second};expires=60")
    assert answer.items("contact") == [f"{OWN};expires=50", "<sip:alice@10.9.9.9>;expires=60"]
    assert len(play.registrar) == 2


@pytest.mark.parametrize(
    ("extra", "seconds"),
    [((), 3600), (("Expires: 120",), 120), (("Expires: 99999999",), 86400), (("Expires: soon",), 3600)],
)
def test_how_long_a_binding_lives(extra: tuple[str, ...], seconds: int) -> None:
    play = stage()
    accept(play, register(play), extra=extra)
    (dump,) = play.bindings.values()
    assert dump is not None
    assert dump["expires_at"] == play.now + seconds + GRACE


def test_a_contact_nobody_can_read_passes_as_it_is() -> None:
    play = stage()
    assert register(play, contact="<tel:1>") == "<tel:1>"
    assert accept(play, "<tel:1>", "<broken").items("contact") == ["<tel:1>", "<broken"]


def test_requests_to_a_token_go_to_the_phone() -> None:
    play = stage()
    token = registered(play)
    uri = f"sip:{token}@127.0.0.1:5070"
    pbx = play.callee.hop
    for method in ("MESSAGE", "NOTIFY", "OPTIONS"):
        play.layer.receive(
            play.ask(method, 1, uri=uri, call_id=method).replace(b"UDP 8.8.8.8:4444", b"UDP 127.0.0.1:5080"),
            pbx,
            play.now,
        )
        play.deliver()
        assert play.caller.request(method).uri == "sip:alice@192.168.1.2:5060"
        play.caller.answer(play.caller.request(method), 200, tag="p")
        assert play.callee.statuses(method) == [200]


def test_the_router_may_refuse_and_a_silent_pbx_is_504() -> None:
    play = stage()
    play.router.refusal = Refuse(403, "")
    play.caller.send(play.ask("MESSAGE", 1))
    assert play.caller.statuses("MESSAGE") == [403]
    play.router.refusal = None
    play.caller.send(play.ask("MESSAGE", 2))
    play.advance(33)
    assert play.caller.statuses("MESSAGE") == [403, 504]


def test_a_full_table_refuses_more() -> None:
    play = stage(RegistrarLimits(bindings=1))
    registered(play)
    play.caller.send(play.ask("REGISTER", 5, "Contact: <sip:x@y>"))
    assert 503 in play.caller.statuses("REGISTER")
    play.caller.send(play.ask("NOTIFY", 6, "Contact: <sip:x@y>"))
    play.callee.answer(play.callee.request("NOTIFY"), 200, tag="r")
    assert len(play.registrar) == 1


def test_a_subscription_goes_both_ways() -> None:
    play = stage()
    play.caller.send(play.ask("SUBSCRIBE", 1, f"Contact: {OWN}", "Event: dialog", "Expires: 60"))
    subscribe = play.callee.request("SUBSCRIBE")
    play.callee.answer(subscribe, 200, "Expires: 60", tag="n")
    target = play.caller.response(200, "SUBSCRIBE").contact or ""
    notify = play.ask("NOTIFY", 1, uri=subscribe.contact or "", to_tag="at", call_id="c1")
    play.layer.receive(notify.replace(b"UDP 8.8.8.8:4444", b"UDP 127.0.0.1:5080"), play.callee.hop, play.now)
    play.deliver()
    assert play.caller.request("NOTIFY").uri == "sip:alice@192.168.1.2:5060"
    play.caller.send(play.ask("SUBSCRIBE", 2, f"Contact: {OWN}", to_tag="n", uri=target))
    refresh = play.callee.request("SUBSCRIBE")
    assert (refresh.uri, refresh.to_tag) == ("sip:peer@127.0.0.1:5080", "n")
    play.caller.send(play.ask("SUBSCRIBE", 3, to_tag="n", uri=target).replace(b"Max-Forwards: 70", b"Max-Forwards: 0"))
    assert play.caller.statuses("SUBSCRIBE") == [200, 483]
    play.callee.answer(refresh, 481, tag="n")
    assert play.caller.statuses("SUBSCRIBE") == [200, 483, 481]
    play.advance(4000)
    assert len(play.registrar) == 0


def test_bindings_survive_a_restart() -> None:
    before = stage()
    token = registered(before)
    dump = before.bindings[token]
    assert dump is not None
    after = stage()
    assert after.registrar.restore(dump, after.now) == token
    assert after.registrar.locate(f"sip:{token}@h") == before.registrar.locate(f"sip:{token}@h")


@pytest.mark.parametrize(
    "change", [{"hop": 1}, {"token": 1}, {"expires_at": "x"}, {"expires_at": 0.0}, {"hop": ["udp"]}]
)
def test_damaged_or_old_records_are_left_out(change: dict[str, Any]) -> None:
    before = stage()
    dump = before.bindings[registered(before)]
    assert dump is not None
    assert stage().registrar.restore({**dump, **change}, 100.0) is None
    assert stage().registrar.restore({}, 100.0) is None


def test_a_request_inside_a_subscription_nobody_has_is_481() -> None:
    play = stage()
    play.caller.send(play.ask("NOTIFY", 1, "Event: dialog", to_tag="x"))
    assert play.caller.statuses("NOTIFY") == [481]
    assert play.callee.inbox == []
