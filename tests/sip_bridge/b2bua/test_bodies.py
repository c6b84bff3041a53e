import pytest

from sip_bridge.b2bua.bodies import MAX_PARTS, replace_sdp, sdp_range
from sip_bridge.message import Request

SDP = b"v=0\r\ns=-\r\n"


def message(content_type: str, body: bytes, **headers: str) -> Request:
    named = [("content-type", content_type)] if content_type else []
    named += [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request("INVITE", "sip:x", named, body)


def changed(content_type: str, body: bytes) -> bytes:
    return replace_sdp(message(content_type, body), lambda sdp: sdp.upper())


def test_a_plain_body() -> None:
    assert changed("Application/SDP; x=1", SDP) == SDP.upper()


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_one_part_of_many_is_changed_and_no_other_byte(end: bytes) -> None:
    body = end.join(
        [b"preamble", b"--b1", b"Content-Type: text/xml", b"", b"v=0 xml", b"--b1", b"c: application/sdp;q=1", b"",
         b"v=0", b"--b1--", b"v=0 epilogue"]
    )  # fmt: skip
    found = changed('multipart/mixed; boundary="b1"', body)
    assert found == body.replace(b"v=0" + end + b"--b1--", b"V=0" + end + b"--b1--")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("", SDP),
        ("text/plain", SDP),
        ("multipart/mixed", b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--"),
        ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: application/sdp\r\n\r\nnever closed"),
        ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: text/plain\r\n\r\nv=0\r\n--b--"),
        ("multipart/mixed;boundary=b", b"no part at all"),
        ("multipart/mixed;boundary=b", b"--b\r\nheaders only\r\n--b--"),
        ("application/sdp", b""),
        (
            "multipart/mixed;boundary=b",
            b"--b\r\n\r\nx\r\n" * (MAX_PARTS + 1) + b"--b\r\nc: application/sdp\r\n\r\nx\r\n--b",
        ),
    ],
)
def test_bodies_without_sdp_we_can_read_stay_as_they_are(content_type: str, body: bytes) -> None:
    assert changed(content_type, body) == body


def test_a_packed_body_is_not_opened() -> None:
    assert sdp_range(message("application/sdp", SDP, content_encoding="gzip")) is None
    assert sdp_range(message("application/sdp", SDP, content_encoding="identity")) == (0, len(SDP))
