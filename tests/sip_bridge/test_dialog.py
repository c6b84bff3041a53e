from typing import Any

import pytest

from sip_bridge.dialog import TABLE, Dialog, DialogEvent, DialogState
from sip_bridge.hooks import Hop
from sip_bridge.message import Request, Response, parse_message

SOURCE = Hop("udp", "10.0.0.2", 5060)


def invite(*extra: str, contact: str = "<sip:a@10.0.0.2:5060>", via: str = "10.0.0.2") -> Request:
    lines = [
        "INVITE sip:c@d SIP/2.0",
        f"Via: SIP/2.0/UDP {via};branch=z9hG4bK1",
        "From: A <sip:a@b>;tag=theirs",
        "To: <sip:c@d>",
        "Call-ID: x",
        "CSeq: 5 INVITE",
        *([f"Contact: {contact}"] if contact else []),
        *extra,
    ]
    parsed = parse_message(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert isinstance(parsed, Request)
    return parsed


def response(status: int, *extra: str, tag: str = "theirs") -> Response:
    lines = [
        f"SIP/2.0 {status} X",
        "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1",
        "From: <sip:us@b>;tag=ours",
        f"To: <sip:c@d>;tag={tag}",
        "Call-ID: x",
        "CSeq: 1 INVITE",
        *extra,
    ]
    parsed = parse_message(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert isinstance(parsed, Response)
    return parsed


def client(hop: Hop = SOURCE) -> Dialog:
    return Dialog.as_client("x", "<sip:us@b>", "ours", "<sip:c@d>", "sip:c@10.0.0.2", hop)


def test_the_table_is_complete() -> None:
    assert set(TABLE) == {(state, event) for state in DialogState for event in DialogEvent}


def test_the_dialog_of_a_request_that_came_in() -> None:
    dialog = Dialog.as_server(invite("Record-Route: <sip:p1;lr>, <sip:p2;lr>"), "ours", SOURCE)
    request = dialog.request("BYE", "<sip:us>", [("x-a", "1")])
    assert request.uri == "sip:a@10.0.0.2:5060"
    assert [value for name, value in request.headers if name == "route"] == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert request.get("from") == "<sip:c@d>;tag=ours"
    assert request.get("to") == "A <sip:a@b>;tag=theirs"
    assert request.get("x-a") == "1"
    assert request.cseq == (1, "BYE")
    assert dialog.key == ("x", "ours", "theirs")


def test_sequence_numbers_both_ways() -> None:
    dialog = Dialog.as_server(invite(), "ours", SOURCE)
    assert not dialog.accept(invite())
    again = invite()
    again.cseq = again.cseq._replace(number=9)
    assert dialog.accept(again)
    assert dialog.request("INVITE", "<sip:us>").cseq.number == 1
    assert dialog.invite_cseq == 1
    assert dialog.request("ACK", "<sip:us>", cseq=1).cseq == (1, "ACK")
    assert dialog.request("INFO", "<sip:us>").cseq.number == 2


def test_the_dialog_of_a_request_we_send_and_its_forks() -> None:
    opening = client()
    opening.request("INVITE", "<sip:us>")
    assert opening.request("PRACK", "<sip:us>").get("to") == "<sip:c@d>"
    one = opening.fork(response(180))
    assert not one.routes
    one.learn(response(180, "Record-Route: <sip:p1;lr>", "Record-Route: <sip:p2;lr>", "Contact: <sip:new@10.0.0.3>"))
    assert (one.state.name, one.remote_tag, one.invite_cseq) == ("EARLY", "theirs", 1)
    assert list(one.routes) == ["<sip:p2;lr>", "<sip:p1;lr>"]
    assert one.target == "sip:new@10.0.0.3"
    one.learn(response(200, "Contact: tel:1"))
    assert (one.state.name, list(one.routes), one.target) == ("CONFIRMED", [], "sip:new@10.0.0.3")
    one.feed(DialogEvent.END)
    assert one.state.name == "ENDED"


def test_a_new_target_is_noticed_once() -> None:
    dialog = client()
    assert dialog.refresh(response(200, "Contact: <sip:n@10.0.0.9>"))
    assert not dialog.refresh(response(200, "Contact: <sip:n@10.0.0.9>"))
    assert not dialog.refresh(response(200))


def test_a_strict_router_gets_its_own_uri_and_the_target_last() -> None:
    dialog = Dialog.as_server(invite("Record-Route: <sip:strict>", "Record-Route: <sip:p2;lr>"), "ours", SOURCE)
    request = dialog.request("INFO", "<sip:us>")
    assert request.uri == "sip:strict"
    assert request.all("route") == ["<sip:p2;lr>", "<sip:a@10.0.0.2:5060>"]


@pytest.mark.parametrize(
    ("contact", "via", "source", "want"),
    [
        ("<sip:a@10.0.0.9:5062>", "10.0.0.2", Hop("udp", "10.0.0.2", 5060), Hop("udp", "10.0.0.9", 5062)),
        ("<sip:a@10.0.0.2>", "10.0.0.2", Hop("udp", "10.0.0.2", 5060), Hop("udp", "10.0.0.2", 5060)),
        # Behind an address translator: Contact and Via name a host the packet did not come from.
        ("<sip:a@10.0.0.9>", "10.0.0.9", Hop("udp", "10.0.0.2", 999), Hop("udp", "10.0.0.2", 999)),
        # A private Contact from a public address.
        ("<sip:a@192.168.1.5>", "pbx.example", Hop("udp", "8.8.8.8", 999), Hop("udp", "8.8.8.8", 999)),
        ("<sip:a@pbx.example>", "pbx.example", Hop("udp", "8.8.8.8", 999), Hop("udp", "pbx.example", 5060)),
        ("", "10.0.0.2", Hop("udp", "10.0.0.2", 999), Hop("udp", "10.0.0.2", 999)),
        ("<tel:1>", "10.0.0.2", Hop("udp", "10.0.0.2", 999), Hop("udp", "10.0.0.2", 999)),
    ],
)
def test_where_requests_go(contact: str, via: str, source: Hop, want: Hop) -> None:
    dialog = Dialog.as_server(invite(contact=contact, via=via), "ours", source)
    assert dialog.next_hop() == (want, None)


def test_routes_come_before_everything() -> None:
    hop = Hop("udp", "8.8.8.8", 999, 2)
    dialog = Dialog.as_server(invite("Record-Route: <sip:p;lr>", contact="<sip:a@10.0.0.9>"), "ours", hop)
    found, _ = dialog.next_hop()
    assert (found.host, found.local) == ("p", 2)
    broken = Dialog.as_server(invite("Record-Route: <sip:p"), "ours", SOURCE)
    assert broken.next_hop() == (SOURCE, None)
    assert broken.request("INFO", "<sip:us>").uri == "sip:a@10.0.0.2:5060"


def test_a_stream_is_used_again_and_dialled_when_it_is_gone() -> None:
    source = Hop("tcp", "10.0.0.2", 40000)
    dialog = Dialog.as_server(invite(contact="<sip:a@10.0.0.2:5060;transport=TCP>"), "ours", source)
    assert dialog.next_hop() == (source, Hop("tcp", "10.0.0.2", 5060))


def test_a_target_that_moves_behind_a_translator_pins_the_dialog() -> None:
    dialog = client(Hop("udp", "8.8.8.8", 5060))
    dialog.target = "sip:c@8.8.8.8"
    dialog.refresh(response(200, "Contact: <sip:c@192.168.1.2>"))
    assert dialog.next_hop()[0].host == "8.8.8.8"
    dialog.refresh(response(200, "Contact: <sip:c@8.8.4.4>"))
    assert dialog.pinned


def test_a_dialog_survives_its_dump() -> None:
    dialog = Dialog.as_server(invite("Record-Route: <sip:p;lr>"), "ours", SOURCE)
    restored = Dialog.restore(dialog.dump())
    assert restored is not None
    assert restored.dump() == dialog.dump()
    assert restored.state is DialogState.CONFIRMED
    assert restored.key == dialog.key


@pytest.mark.parametrize(
    "change", [{"hop": None}, {"hop": ["udp"]}, {"target": 1}, {"local_cseq": "1"}, {"routes": [1]}, {"routes": None}]
)
def test_a_damaged_dump_is_refused(change: dict[str, Any]) -> None:
    assert Dialog.restore({**client().dump(), **change}) is None
    assert Dialog.restore({}) is None
