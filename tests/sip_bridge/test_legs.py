import pytest

from sip_bridge.errors import BridgeError
from sip_bridge.hooks import Side
from sip_bridge.legs import CallMedia, End, LegView, MediaView, Placement, Remote, remote_of
from sip_bridge.sdp import Codec, Sdp, parse


def described(*rows: str, c: str = "198.51.100.1") -> Remote | None:
    head = ["v=0", f"c=IN {'IP6' if ':' in c else 'IP4'} {c}", "m=audio 4000 RTP/AVP 0 96 97"]
    sdp = parse("\r\n".join([*head, *rows, ""]).encode())
    assert isinstance(sdp, Sdp), sdp
    return remote_of(sdp, sdp.media[0])


def test_a_phone_as_its_description_says() -> None:
    remote = described("a=rtpmap:96 OPUS/48000/2", "a=ptime:30")
    assert remote == Remote(
        "198.51.100.1", 4000, "198.51.100.1", 4001, {"0": "PCMU", "96": "opus"}, 30, True, True, False
    )
    assert not remote.null


def test_rtcp_elsewhere_and_names_that_are_no_address() -> None:
    remote = described("a=rtcp:4444 IN IP4 198.51.100.9")
    assert remote is not None
    assert (remote.rtcp_host, remote.rtcp_port) == ("198.51.100.9", 4444)
    named = described("a=rtcp:4444 IN IP4 rtcp.example.com")
    assert named is not None
    assert named.rtcp_host == "198.51.100.1"
    assert described(c="a-name-of-this-test-alone.example.com") is None
    assert described(c="203.0.113.77") is not None


def test_the_last_port_has_no_rtcp_after_it() -> None:
    sdp = parse(b"v=0\r\nc=IN IP4 198.51.100.1\r\nm=audio 65535 RTP/AVP 0\r\n")
    assert isinstance(sdp, Sdp)
    remote = remote_of(sdp, sdp.media[0])
    assert remote is not None
    assert remote.rtcp_port == 0
    media = CallMedia(Placement(), {Side.CALLER: End(1, 20000, remote), Side.CALLEE: End(2, 20002)}, opened=True)
    assert media.commands()[0]["rtcp"] is None


@pytest.mark.parametrize(("asked", "kept"), [(5, 10), (200, 120), (60, 60)])
def test_packet_times_stay_in_the_range_of_media(asked: int, kept: int) -> None:
    remote = described(f"a=ptime:{asked}")
    assert remote is not None
    assert remote.ptime == kept


def test_the_null_address_receives_nothing() -> None:
    remote = described(c="0.0.0.0")
    assert remote is not None
    assert (remote.null, remote.receives, remote.holds) == (True, False, True)


def test_a_call_without_legs_shows_and_tells_nothing() -> None:
    assert CallMedia().view() == MediaView()
    assert CallMedia(Placement()).commands() == []
    assert CallMedia(None, {Side.CALLER: End(1, 20000)}).commands() == []


def test_legs_are_opened_once_and_set_when_something_changed() -> None:
    media = CallMedia(Placement("s", Side.CALLEE), {Side.CALLER: End(1, 20000), Side.CALLEE: End(2, 20002)})
    assert [(one["cmd"], one["leg"]) for one in media.commands()] == [("open", 1), ("open", 2)]
    assert media.commands() == []
    media.ends[Side.CALLER].remote = described()
    assert [(one["cmd"], one["leg"]) for one in media.commands()] == [("set", 1), ("set", 2)]


def test_a_dumped_call_is_restored() -> None:
    remote = described()
    ends = {
        Side.CALLER: End(1, 20000, remote, ("-", "42", 3), "body"),
        Side.CALLEE: End(2, 20002),
    }
    media = CallMedia(Placement("s", Side.CALLEE), ends, True, Codec(0, "PCMU", 8000), "")
    again = CallMedia.restored(media.dump(), Placement("s", Side.CALLEE))
    assert again == media
    assert again.view() == MediaView(
        (LegView(1, Side.CALLER, "PCMU", 8000, False, True), LegView(2, Side.CALLEE, "PCMU", 8000, False, False))
    )
    assert CallMedia.restored(CallMedia().dump(), Placement()).codec is None


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"codec": None, "refused": "", "ends": {"x": {}}},
        {"codec": [1], "refused": "", "ends": {}},
        {"codec": None, "refused": "", "ends": {"a": {"leg": 1, "port": 2, "origin": None, "body": "", "remote": [1]}}},
        {"codec": None, "refused": "", "ends": []},
    ],
)
def test_foreign_data_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(BridgeError, match="media state"):
        CallMedia.restored(data, Placement())
