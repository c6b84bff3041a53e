import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_bridge.message import (
    MAX_HEADERS,
    MAX_LINE,
    MAX_MESSAGE,
    BadMessage,
    Request,
    Response,
    parse_message,
    reply,
)

HEAD = {
    "Via": "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKa",
    "From": "<sip:a@b>;tag=1",
    "To": "<sip:c@d>",
    "Call-ID": "x",
    "CSeq": "1 OPTIONS",
}


def message(start: str = "OPTIONS sip:c@d SIP/2.0", body: str = "", /, **changes: str | None) -> bytes:
    """Build a message from HEAD with some headers changed (underscores are hyphens) or left out (None)."""
    head: dict[str, str | None] = {**HEAD, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [start, *(f"{name}: {value}" for name, value in head.items() if value is not None)]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("utf-8", "surrogateescape")


def request(data: bytes, stream: bool = False) -> Request:
    parsed = parse_message(data, stream)
    assert isinstance(parsed, Request), parsed
    return parsed


def refused(data: bytes, stream: bool = False) -> tuple[int | None, str]:
    parsed = parse_message(data, stream)
    assert isinstance(parsed, BadMessage), parsed
    return parsed.status, parsed.reason


def test_a_request_and_its_views() -> None:
    parsed = request(message("INVITE sip:c@d SIP/2.0", "body", CSeq="7 INVITE", Contact='"x" <sip:me@h>, <sip:u@h>'))
    assert (parsed.method, parsed.uri, parsed.cseq, parsed.body) == ("INVITE", "sip:c@d", (7, "INVITE"), b"body")
    assert (parsed.call_id, parsed.from_tag, parsed.to_tag, parsed.contact) == ("x", "1", "", "sip:me@h")
    assert parsed.items("contact") == ['"x" <sip:me@h>', "<sip:u@h>"]
    assert parsed.all("via") == [HEAD["Via"]]
    assert parsed.get("nothing") is None
    assert parsed.max_forwards == 70


def test_a_response() -> None:
    parsed = parse_message(message("SIP/2.0 180 Ringing a lot"))
    assert isinstance(parsed, Response)
    assert (parsed.status, parsed.reason, parsed.contact) == (180, "Ringing a lot", None)
    bare = parse_message(message("sip/2.0 200"))
    assert isinstance(bare, Response)
    assert bare.reason == ""


def test_compact_folded_and_bare_line_feeds() -> None:
    data = (
        b"OPTIONS sip:c@d SIP/2.0\nv: SIP/2.0/UDP h;branch=z9hG4bKa,\r\n SIP/2.0/TCP i\r\nf: <sip:a@b>;tag=1\r\n"
        b"t:\r\n <sip:c@d>\r\ni: x\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
    parsed = request(data)
    assert parsed.get("to") == "<sip:c@d>"
    assert parsed.all("via") == ["SIP/2.0/UDP h;branch=z9hG4bKa", "SIP/2.0/TCP i"]


def test_any_byte_of_a_header_comes_out_as_it_went_in() -> None:
    data = message().replace(b"<sip:a@b>", b'"Jos\xe9 \xc3\xa9" <sip:a@b>')
    assert b'"Jos\xe9 \xc3\xa9" <sip:a@b>' in request(data).encode()


@given(st.binary(max_size=200).filter(lambda raw: not set(raw) & set(b"\r\n\0")))
def test_every_value_survives(raw: bytes) -> None:
    data = message().replace(b"Call-ID: x", b"Call-ID: x\r\nX-Raw: " + raw)
    again = request(request(data).encode())
    assert (again.get("x-raw") or "").encode("utf-8", "surrogateescape") == raw.decode(
        "utf-8", "surrogateescape"
    ).strip().encode("utf-8", "surrogateescape")


def test_the_body_is_as_long_as_it_says() -> None:
    assert request(message(_ := "OPTIONS sip:c@d SIP/2.0", "12345", Content_Length="3")).body == b"123"
    assert request(message()[:-2]).body == b""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Call_ID": None}, "Missing Call-ID"),
        ({"From": None}, "Missing From"),
        ({"To": '"x <sip:c@d>'}, "Bad To"),
        ({"CSeq": "x OPTIONS"}, "Bad CSeq"),
        ({"CSeq": "1 INVITE"}, "CSeq Method Mismatch"),
        ({"Max_Forwards": "256"}, "Bad Max-Forwards"),
        ({"Max_Forwards": "\u0663"}, "Bad Max-Forwards"),
        ({"Content_Length": "-1"}, "Bad Content-Length"),
        ({"Content_Length": "9999"}, "Bad Content-Length"),
        ({"X": "a" * MAX_LINE}, "Malformed Header"),
        ({"X Y": "a"}, "Malformed Header"),
        ({"X": "a\rb"}, "Malformed Header"),
        ({"X": "a\0b"}, "NUL In Header"),
        ({"Via": HEAD["Via"] + ",,"}, "Bad Via"),
        ({"Via": HEAD["Via"] + ";;"}, "Bad Via"),
    ],
)
def test_what_is_answered_400(changes: dict[str, str | None], reason: str) -> None:
    assert refused(message(**changes)) == (400, reason)


def test_headers_that_may_stand_once() -> None:
    assert refused(message().replace(b"CSeq", b"CSeq: 2 OPTIONS\r\nCSeq")) == (400, "Duplicate CSeq")
    assert refused(message().replace(b"CSeq", b"noise\r\nCSeq: 2 OPTIONS\r\nCSeq")) == (400, "Malformed Header")


def test_too_many_headers() -> None:
    assert refused(message().replace(b"CSeq", b"X: 1\r\n" * MAX_HEADERS + b"CSeq"))[1] == "Too Many Headers"


@pytest.mark.parametrize(
    ("start", "status"),
    [
        ("OPTIONS  sip:c@d SIP/2.0", 400),
        ("OPTIONS <sip:c@d> SIP/2.0", 400),
        ("OPT@IONS sip:c@d SIP/2.0", 400),
        ("OPTIONS sip:c@d SIP/7.0", 505),
        ("NEW sip:c@d SIP/2.0", 501),
    ],
)
def test_start_lines_that_are_answered(start: str, status: int) -> None:
    assert refused(message(start))[0] == status


@pytest.mark.parametrize(
    "data",
    [
        b"x" * (MAX_MESSAGE + 1),
        b"no end",
        message("GET / HTTP/1.1"),
        message("one"),
        message("two words"),
        message(Via=None),
        message(Via="nonsense"),
        message(Via=","),
        message("SIP/2.0 4294967301 Big"),
        message("SIP/2.0 099 Small"),
        message("SIP/2.0 200 OK", CSeq="x"),
        message("SIP/2.0 200 OK", From=None),
        message("SIP/2.0 200 OK", Content_Length="7"),
    ],
)
def test_what_is_dropped(data: bytes) -> None:
    assert refused(data)[0] is None


def test_an_escaped_nul_is_text() -> None:
    assert request(message(From='"NUL:\\\0" <sip:a@b>;tag=1')).from_tag == "1"


def test_a_stream_wants_lengths() -> None:
    assert refused(message(), stream=True) == (400, "Bad Content-Length")
    assert refused(b"x\r\n", stream=True)[0] is None
    assert request(message(Content_Length="0"), stream=True).body == b""


def test_a_top_via_with_very_many_values_is_only_answered() -> None:
    assert refused(message(Via=HEAD["Via"] + ", SIP/2.0/UDP h" * (MAX_HEADERS + 2)))[0] == 400


@pytest.mark.parametrize(
    ("via", "want"),
    [
        ("SIP/2.0/UDP 10.0.0.9;branch=b", "SIP/2.0/UDP 10.0.0.9;branch=b"),
        ("SIP/2.0/UDP h;branch=b", "SIP/2.0/UDP h;branch=b;received=10.0.0.9"),
        ("SIP/2.0/UDP 10.0.0.9;rport;branch=b", "SIP/2.0/UDP 10.0.0.9;rport=99;branch=b;received=10.0.0.9"),
    ],
)
def test_the_source_is_noted_in_the_via(via: str, want: str) -> None:
    parsed = request(message(Via=via))
    parsed.received_from("10.0.0.9", 99)
    assert parsed.get("via") == want


def test_a_request_of_our_own_has_no_via_to_note_in() -> None:
    own = Request("BYE", "sip:x", [])
    own.received_from("h", 1)
    assert own.headers == []


def test_a_reply_copies_what_it_must() -> None:
    made = reply(request(message()), 486, headers=[("x-a", "1")], body=b"b", to_tag="t")
    assert made.encode() == (
        b"SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\n"
        b"To: <sip:c@d>;tag=t\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nX-A: 1\r\nContent-Length: 1\r\n\r\nb"
    )
    assert reply(request(message()), 100, to_tag="t").to_tag == ""
    assert reply(request(message(To="<sip:c@d>;tag=old")), 299, to_tag="t").to_tag == "old"
    assert reply(request(message()), 299).reason == "Unknown"


@pytest.mark.parametrize(
    "value", ['"' + '\\"' * 1900, ",<" * 1900, '",' * 1900, "sip:a@" + "a-" * 1900, ";a=" * 1200, "<" * 3900]
)
def test_no_value_takes_quadratic_time(value: str) -> None:
    data = b"".join([message(Contact=value)[:-2], *(f"X: {value}\r\n".encode() for _ in range(10)), b"\r\n"])
    best = 1.0
    for _ in range(3):
        began = time.perf_counter()
        parsed = parse_message(data)
        if isinstance(parsed, Request):
            parsed.items("contact")
        best = min(best, time.perf_counter() - began)
    # Linear is under 2 ms; quadratic would be several seconds.
    assert best < 0.25


def test_a_comma_inside_quotes_does_not_split_a_via() -> None:
    via = HEAD["Via"] + ';x="a,b"'
    assert request(message(Via=via)).all("via") == [via]
