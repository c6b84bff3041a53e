import pytest

from sip_bridge.hooks import Hop
from sip_bridge.uri import (
    SipUri,
    blank_quotes,
    has_foreign_scheme,
    hop_of,
    hostport,
    parameters,
    parse_address,
    parse_uri,
    reach,
    tag_of,
    without_tag,
)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("sip:bob@Example.com", SipUri("sip", "bob", "example.com", None, "")),
        ("SIPS:[::1]:5061;lr", SipUri("sips", "", "::1", 5061, ";lr")),
        ("sip:a;x=1@h:0?h=v", SipUri("sip", "a;x=1", "h", 0, "?h=v")),
    ],
)
def test_uris_that_can_be_read(text: str, want: SipUri) -> None:
    assert parse_uri(text) == want


@pytest.mark.parametrize("text", ["", "tel:1", "sip:", "sip:a@b c", "sip:a@h:65536", "sip:a@h:99999999", "<sip:a@b>"])
def test_uris_that_cannot(text: str) -> None:
    assert parse_uri(text) is None


def test_parameters_end_where_the_headers_begin() -> None:
    uri = parse_uri("sip:a@h;Transport=TCP;lr?Replaces=x%3Bto-tag%3D1")
    assert uri is not None
    assert uri.parameter("transport") == "TCP"
    assert uri.parameter("lr") == ""
    assert uri.parameter("replaces") is None
    assert parameters("x;A=1;a=2") == {"a": "1"}


def test_foreign_schemes() -> None:
    assert has_foreign_scheme("tel:+1")
    assert not has_foreign_scheme("SIP:x")
    assert not has_foreign_scheme("no scheme")


def test_quotes_are_blanked_and_must_end() -> None:
    assert blank_quotes('a "b\\"<" c') == "a       c".replace("      ", " " * 7)
    assert blank_quotes('"open') is None


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ('"A <b>" <sip:x@y>;tag=1', ('"A <b>"', "sip:x@y", ";tag=1")),
        ("sip:x@y;tag=1", ("", "sip:x@y", ";tag=1")),
        ("<sip:x@y;lr>", ("", "sip:x@y;lr", "")),
    ],
)
def test_addresses(value: str, want: tuple[str, str, str]) -> None:
    assert parse_address(value) == want


@pytest.mark.parametrize("value", ["", "<>", "<sip:x", '"x <sip:y@z>', "two words", ";tag=1"])
def test_addresses_that_cannot_be_read(value: str) -> None:
    assert parse_address(value) is None


def test_tags() -> None:
    assert tag_of('"a;tag=no" <sip:x@y;tag=no>; tag = yes') == "yes"
    assert tag_of('"open;tag=1') == ""
    assert tag_of("<sip:x@y>") == ""
    assert without_tag('"N" <sip:x@y>;tag=1;p=2') == '"N" <sip:x@y>;p=2'
    assert without_tag("sip:x@y;tag=1") == "<sip:x@y>"
    assert without_tag("<") == "<"


def test_hops() -> None:
    uri = parse_uri("sip:h:7;transport=TCP")
    assert uri is not None
    assert hop_of(uri, "udp") == Hop("tcp", "h", 7)
    plain = parse_uri("sip:h;transport=sctp")
    assert plain is not None
    assert hop_of(plain, "udp") == Hop("udp", "h", 5060)
    assert hostport("::1", 5) == "[::1]:5"


@pytest.mark.parametrize(
    ("host", "grade"),
    [("127.0.0.1", 0), ("0.0.0.0", 0), ("10.1.1.1", 1), ("100.64.0.1", 1), ("8.8.8.8", 2), ("pbx", -1)],
)
def test_reach(host: str, grade: int) -> None:
    assert reach(host) == grade
