import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_bridge.sdp import BadSdp, Codec, Direction, Media, Sdp, Section, connection, is_null, parse

BODY = (
    b"v=0\r\no=alice 1 7 IN IP4 192.0.2.5\r\ns=-\r\nc=IN IP4 192.0.2.5\r\nt=0 0\r\na=x-strange:kept\r\n"
    b"m=audio 4000 RTP/AVP 8 0 96 101 13\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n"
    b"a=fmtp:101 0-15\r\na=ptime:30\r\na=rtcp:4005 IN IP4 192.0.2.6\r\na=sendonly\r\n"
    b"m=video 4002 RTP/AVP 31\r\nc=IN IP6 2001:db8::1\r\n"
)


def read(body: bytes) -> Sdp:
    sdp = parse(body)
    assert isinstance(sdp, Sdp), sdp
    return sdp


def with_media(*rows: str) -> bytes:
    head = ["v=0", "o=- 1 1 IN IP4 192.0.2.5", "s=-", "c=IN IP4 192.0.2.5", "t=0 0"]
    return "\r\n".join([*head, *rows, ""]).encode()


def test_what_is_not_understood_comes_out_as_it_went_in() -> None:
    assert read(BODY).to_bytes() == BODY


def test_bytes_that_are_no_text_survive() -> None:
    body = with_media("a=name:M\u00fcller").replace("\u00fc".encode(), b"\xfc")
    assert read(body).to_bytes() == body


def test_bare_line_feeds_and_empty_lines_at_the_end_are_accepted() -> None:
    assert read(BODY.replace(b"\r\n", b"\n") + b"\n\n").to_bytes() == BODY


def test_an_audio_part_is_read() -> None:
    sdp = read(BODY)
    audio, video = sdp.media
    assert (audio.kind, audio.port, audio.proto) == ("audio", 4000, "RTP/AVP")
    assert audio.codecs == [
        Codec(8, "PCMA", 8000),
        Codec(0, "PCMU", 8000),
        Codec(96, "opus", 48000),
        Codec(101, "telephone-event", 8000),
        Codec(13, "CN", 8000),
    ]
    assert audio.ptime == 30
    assert audio.rtcp == ("192.0.2.6", 4005)
    assert sdp.address(audio) == "192.0.2.5"
    assert sdp.direction(audio) is Direction.SENDONLY
    assert sdp.holds(audio)
    assert sdp.address(video) == "2001:db8::1"
    assert sdp.direction(video) is Direction.SENDRECV
    assert not sdp.holds(video)
    assert video.rtcp is None
    assert video.ptime is None


def test_a_dynamic_payload_type_without_rtpmap_has_no_name() -> None:
    assert read(with_media("m=audio 4000 RTP/AVP 97")).media[0].codecs == [Codec(97, "", 8000)]


def test_formats_of_other_protocols_are_no_codecs() -> None:
    part = read(with_media("m=image 4000 udptl t38")).media[0]
    assert part.codecs == []
    assert part.m_line == "image 4000 udptl t38"


def test_the_number_of_ports_is_kept() -> None:
    assert read(with_media("m=audio 4000/2 RTP/AVP 0")).media[0].m_line == "audio 4000/2 RTP/AVP 0"


@pytest.mark.parametrize("text", ["20.0", "20"])
def test_a_packet_time_may_have_a_fraction(text: str) -> None:
    assert read(with_media("m=audio 4000 RTP/AVP 0", f"a=ptime:{text}")).media[0].ptime == 20


@pytest.mark.parametrize("text", ["0", "1001", "x", ""])
def test_a_packet_time_out_of_range_is_none(text: str) -> None:
    assert read(with_media("m=audio 4000 RTP/AVP 0", f"a=ptime:{text}")).media[0].ptime is None


def test_rtcp_without_address_is_at_that_of_the_media() -> None:
    assert read(with_media("m=audio 4000 RTP/AVP 0", "a=rtcp:4011")).media[0].rtcp == (None, 4011)


@pytest.mark.parametrize(
    ("row", "holds"),
    [("a=sendonly", True), ("a=inactive", True), ("c=IN IP4 0.0.0.0", True), ("a=recvonly", False), ("a=x", False)],
)
def test_forms_of_hold(row: str, holds: bool) -> None:
    sdp = read(with_media("m=audio 4000 RTP/AVP 0", row))
    assert sdp.holds(sdp.media[0]) is holds


def test_a_direction_of_the_session_holds_for_a_part_without_one() -> None:
    sdp = read(with_media("m=audio 4000 RTP/AVP 0").replace(b"t=0 0\r\n", b"t=0 0\r\na=inactive\r\n"))
    assert sdp.direction(sdp.media[0]) is Direction.INACTIVE


def test_what_directions_mean() -> None:
    assert [one.sends for one in Direction] == [True, True, False, False]
    assert [one.receives for one in Direction] == [True, False, True, False]


def test_a_direction_is_replaced_not_added() -> None:
    part = read(BODY).media[0]
    part.direction = Direction.INACTIVE
    assert [value for _, value in part.lines if value in ("sendonly", "inactive")] == ["inactive"]


def test_lines_are_put_in_their_place() -> None:
    part = Section([("i", "title"), ("a", "one")])
    part.put("c", "IN IP4 192.0.2.1", after="i")
    part.put("a", "two")
    assert part.lines == [("i", "title"), ("c", "IN IP4 192.0.2.1"), ("a", "two")]
    empty = Media([("a", "one")])
    empty.put("c", "IN IP4 192.0.2.1", after="i")
    assert empty.lines[0][0] == "c"
    assert Sdp(Section(), []).address(Media()) is None


def test_helpers_of_connection_lines() -> None:
    assert connection("192.0.2.1") == "IN IP4 192.0.2.1"
    assert connection("2001:db8::1") == "IN IP6 2001:db8::1"
    assert is_null("0.0.0.0")
    assert is_null("::")
    assert not is_null("192.0.2.1")


def test_a_multicast_address_loses_its_time_to_live() -> None:
    sdp = read(with_media("m=audio 4000 RTP/AVP 0", "c=IN IP4 233.252.0.1/127"))
    assert sdp.address(sdp.media[0]) == "233.252.0.1"


def test_a_host_name_is_an_address() -> None:
    sdp = read(with_media("m=audio 4000 RTP/AVP 0", "c=IN IP4 media.example.com"))
    assert sdp.address(sdp.media[0]) == "media.example.com"


BAD = {
    "longer than 65535 bytes": b"v=0\r\n" + b"a=x\r\n" * 14_000,
    "holds a NUL byte": b"v=0\r\n\0",
    "a line is not <letter>=<value>": b"v=0\r\nhello\r\n",
    "does not begin with v=0": b"s=-\r\n",
    "more than 32 m-lines": with_media(*["m=audio 0 RTP/AVP 0"] * 33),
    "an m-line has fewer than four words": with_media("m=audio 4000 RTP/AVP"),
    "an m-line's port is not 0-65535": with_media("m=audio 65536 RTP/AVP 0"),
    "a payload type is not 0-127": with_media("m=audio 4000 RTP/AVP 128"),
    "a c-line is not IN IP4 or IN IP6 with an address": with_media("m=audio 1 RTP/AVP 0", "c=IN IP4 1.2.3.4.5.6 x"),
    "an m-line in use has no c-line": b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n",
    "an rtpmap is not <0-127> <name>/<clock>": with_media("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 opus"),
    "a=rtcp is not a port of 0-65535": with_media("m=audio 4000 RTP/AVP 0", "a=rtcp:70000"),
}


@pytest.mark.parametrize("reason", BAD)
def test_broken_rules_are_named(reason: str) -> None:
    assert parse(BAD[reason]) == BadSdp(reason)


@pytest.mark.parametrize(
    "rows",
    [
        ["m=audio x RTP/AVP 0"],
        ["m=audio 4000/x RTP/AVP 0"],
        ["m=audio 4000 RTP/AVP zero"],
        ["m=audio 4000 RTP/AVP 0", "c=IN IP5 192.0.2.1"],
        ["m=audio 4000 RTP/AVP 0", "c=IN IP4 !"],
        ["m=audio 4000 RTP/AVP 0", "a=rtcp:"],
        ["m=audio 4000 RTP/AVP 0", "a=rtpmap:200 x/8000"],
        ["m=audio 4000 RTP/AVP 0", "a=rtpmap:0 PCMU/0"],
        ["m=audio 4000 RTP/AVP 0", "a=rtpmap:0 PCMU/9999999"],
    ],
)
def test_numbers_out_of_range_are_refused(rows: list[str]) -> None:
    assert isinstance(parse(with_media(*rows)), BadSdp)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | st.lists(st.sampled_from(BODY.split(b"\r\n")), max_size=20).map(b"\n".join))
def test_no_bytes_raise(body: bytes) -> None:
    sdp = parse(body)
    if isinstance(sdp, Sdp):
        assert isinstance(parse(sdp.to_bytes()), Sdp)
        for part in sdp.media:
            assert [part.codecs, part.ptime, part.rtcp, sdp.address(part), sdp.holds(part)]


def test_a_copy_is_changed_alone() -> None:
    sdp = read(BODY)
    other = sdp.copy()
    other.session.put("s", "other")
    other.media[0].port = 1
    other.media[0].formats.clear()
    other.media[0].direction = Direction.INACTIVE
    assert sdp.to_bytes() == BODY
    assert other.to_bytes() != BODY
