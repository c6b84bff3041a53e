import pytest

from sip_bridge.anchor import Anchor
from sip_bridge.hooks import SdpRole, Side
from sip_bridge.legs import Placement
from sip_bridge.ports import PortPool
from sip_bridge.sdp import Direction, Media, Sdp, parse

A, B = Side.CALLER, Side.CALLEE
OFFER, ANSWER, REPEAT = SdpRole.OFFER, SdpRole.ANSWER, SdpRole.REPEAT
US = "192.0.2.1"


def body(
    host: str, port: int, *rows: str, formats: str = "8 0 101", version: int = 1, c: str = "", m: str = ""
) -> bytes:
    head = ["v=0", f"o=- 42 {version} IN IP4 {host}", "s=-", f"c=IN IP4 {c or host}", "t=0 0"]
    audio = m or f"m=audio {port} RTP/AVP {formats}"
    return "\r\n".join([*head, audio, "a=rtpmap:101 telephone-event/8000", *rows, ""]).encode()


CALLER_SDP = body("198.51.100.1", 4000)
CALLEE_SDP = body("198.51.100.2", 5000, formats="8 101")


def read(data: bytes) -> Sdp:
    sdp = parse(data)
    assert isinstance(sdp, Sdp), sdp
    return sdp


def audio(data: bytes) -> Media:
    return read(data).media[0]


class Bench:
    """An anchor with one call on ports 20000 (caller) and 20002 (callee); the callee is the agent."""

    def __init__(self, agent: Side | None = B, open_ear: bool = True, ports: int = 4) -> None:
        self.anchor = Anchor(PortPool(20000, 20000 + 2 * ports), US)
        self.anchor.place("call", Placement("segment", agent, open_ear=open_ear))

    def sdp(self, sender: Side, role: SdpRole, data: bytes) -> bytes:
        return self.anchor.sdp("call", sender, role, data)

    def up(self) -> "Bench":
        self.sdp(A, OFFER, CALLER_SDP)
        self.sdp(B, ANSWER, CALLEE_SDP)
        self.anchor.drain()
        return self

    def sets(self) -> dict[int, dict[str, object]]:
        return {one["leg"]: one for one in self.anchor.drain() if one["cmd"] == "set"}


def test_both_phones_are_made_to_send_to_us() -> None:
    bench = Bench()
    offer, answer = bench.sdp(A, OFFER, CALLER_SDP), bench.sdp(B, ANSWER, CALLEE_SDP)
    for data, port in ((offer, 20002), (answer, 20000)):
        sdp = read(data)
        assert (sdp.address(sdp.media[0]), sdp.media[0].port) == (US, port)
    assert b"198.51.100" not in offer + answer


def test_media_hears_of_the_legs_and_then_of_the_phones() -> None:
    bench = Bench()
    bench.sdp(A, OFFER, CALLER_SDP)
    commands = bench.anchor.drain()
    assert [one["cmd"] for one in commands] == ["open", "open"]
    assert commands[0] == {
        "cmd": "open", "leg": 1, "port": 20000, "peer": 2, "role": "customer", "segment": "segment",
    }  # fmt: skip
    assert (commands[1]["leg"], commands[1]["role"]) == (2, "agent")
    bench.sdp(B, ANSWER, CALLEE_SDP)
    sets = bench.sets()
    assert sets[1]["remote"] == ["198.51.100.1", 4000]
    assert sets[2]["remote"] == ["198.51.100.2", 5000]
    assert sets[2]["rtcp"] == ["198.51.100.2", 5001]
    assert sets[2]["codecs"] == {"8": "PCMA", "0": "PCMU", "101": "telephone-event"}
    assert (sets[1]["send"], sets[1]["recv"], sets[1]["held"], sets[1]["ptime"]) == (True, True, False, 20)
    assert bench.anchor.drain() == []


def test_nothing_is_told_before_the_call_is_placed() -> None:
    anchor = Anchor(PortPool(20000, 20008), US)
    anchor.sdp("call", A, OFFER, CALLER_SDP)
    assert anchor.drain() == []
    anchor.place("call", Placement())
    assert len(anchor.drain()) == 2


def test_supported_codecs_go_first_and_the_others_stay() -> None:
    bench = Bench()
    rows = ["a=rtpmap:96 opus/48000/2", "a=rtpmap:97 AMR/8000"]
    out = bench.sdp(A, OFFER, body("198.51.100.1", 4000, *rows, formats="97 18 101 96 9 8 0 13"))
    assert audio(out).formats == ["8", "0", "9", "96", "101", "13", "97", "18"]


def test_an_answer_keeps_its_order() -> None:
    bench = Bench()
    bench.sdp(A, OFFER, body("198.51.100.1", 4000, formats="18 0"))
    assert audio(bench.sdp(B, ANSWER, body("198.51.100.2", 5000, formats="18 0"))).formats == ["18", "0"]
    view = bench.anchor.view("call")
    assert view.refused == "codec_not_supported"
    assert [leg.codec for leg in view.legs] == ["G729", "G729"]
    assert bench.anchor.counters["codec_not_supported"] == 1


def test_a_trunk_may_prefer_its_own_codecs() -> None:
    bench = Bench()
    bench.anchor.place("call", Placement(codecs=(("G729",), ("PCMA",))))
    assert audio(bench.sdp(A, OFFER, body("198.51.100.1", 4000, formats="0 8 18"))).formats == ["18", "8", "0"]


def test_other_m_lines_are_switched_off_both_ways() -> None:
    bench = Bench()
    video = "m=video 4002 RTP/AVP 31"
    offer = read(bench.sdp(A, OFFER, body("198.51.100.1", 4000, video, "a=candidate:1 1 UDP 1 192.0.2.9 1 typ host")))
    assert [part.port for part in offer.media] == [20002, 0]
    assert offer.media[1].attribute("candidate") is None
    answer = read(bench.sdp(B, ANSWER, body("198.51.100.2", 5000, "m=video 5002 RTP/AVP 31")))
    assert [part.port for part in answer.media] == [20000, 0]


def test_ways_past_the_anchor_are_taken_out() -> None:
    rows = ["a=rtcp-mux", "a=candidate:1 1 UDP 1 192.0.2.9 1 typ host", "a=crypto:1 x", "a=rtcp:4444 IN IP4 192.0.2.9"]
    part = audio(Bench().sdp(A, OFFER, body("198.51.100.1", 4000, *rows)))
    assert [part.attribute(name) for name in ("rtcp-mux", "candidate", "crypto")] == [None] * 3
    assert part.rtcp == (None, 20003)


def test_a_connection_line_of_the_media_part_is_rewritten_too() -> None:
    data = body("198.51.100.1", 4000).replace(b"RTP/AVP 8 0 101\r\n", b"RTP/AVP 8 0 101\r\nc=IN IP4 198.51.100.9\r\n")
    bench = Bench()
    out = read(bench.sdp(A, OFFER, data))
    assert (out.session.first("c"), out.media[0].first("c")) == (f"IN IP4 {US}", f"IN IP4 {US}")
    alone = data.replace(b"c=IN IP4 198.51.100.1\r\n", b"")
    assert read(bench.sdp(A, OFFER, alone)).session.first("c") is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no sdp", "sdp_not_understood"),
        (body("198.51.100.1", 4000, m="m=audio 4000 RTP/SAVP 0"), "encrypted"),
        (body("198.51.100.1", 4000, m="m=image 4000 udptl t38"), "no_audio"),
        (body("198.51.100.1", 4000, m="m=audio 4000 TCP/x 0"), "no_audio"),
        (body("198.51.100.1", 0), "no_audio"),
        (body("198.51.100.1", 4000, c="media.example.com"), "host_name"),
    ],
)
def test_what_cannot_be_anchored_goes_through_untouched(data: bytes, reason: str) -> None:
    bench = Bench()
    assert bench.sdp(A, OFFER, data) == data
    assert bench.sdp(B, ANSWER, CALLEE_SDP) == CALLEE_SDP
    assert bench.anchor.view("call").refused == reason
    assert bench.anchor.counters[reason] == 1
    assert bench.anchor.dump("call") is None


def test_without_a_free_port_the_call_lives_unheard() -> None:
    bench = Bench(ports=1)
    assert bench.sdp(A, OFFER, CALLER_SDP) == CALLER_SDP
    assert bench.anchor.view("call").refused == "no_ports"
    assert Bench(ports=0).sdp(A, OFFER, CALLER_SDP) == CALLER_SDP


def test_a_fax_in_the_middle_stops_the_relay_and_sound_comes_back() -> None:
    bench = Bench().up()
    fax = body("198.51.100.1", 4000, m="m=image 4000 udptl t38")
    assert bench.sdp(A, OFFER, fax) == fax
    assert bench.sdp(B, ANSWER, fax) == fax
    assert [one["remote"] for one in bench.sets().values()] == [None, None]
    assert bench.anchor.view("call").refused == "no_audio"
    bench.sdp(A, OFFER, CALLER_SDP)
    bench.sdp(B, ANSWER, CALLEE_SDP)
    assert bench.sets()[1]["remote"] == ["198.51.100.1", 4000]
    assert bench.anchor.view("call").refused == ""


def test_an_answer_that_cannot_be_read_or_rejects_audio() -> None:
    bench = Bench()
    bench.sdp(A, OFFER, CALLER_SDP)
    assert bench.sdp(B, ANSWER, b"broken") == b"broken"
    assert bench.anchor.view("call").refused == "not_anchored"
    bench.sdp(A, OFFER, CALLER_SDP)
    answer = bench.sdp(B, ANSWER, body("198.51.100.2", 0))
    assert audio(answer).port == 0
    assert not any(leg.remote for leg in bench.anchor.view("call").legs)


def test_an_answer_to_nothing_is_left_alone() -> None:
    assert Bench().sdp(B, ANSWER, CALLEE_SDP) == CALLEE_SDP


def test_a_repeated_answer_gives_the_same_body() -> None:
    bench = Bench()
    bench.sdp(A, OFFER, CALLER_SDP)
    first = bench.sdp(B, ANSWER, CALLEE_SDP)
    assert bench.sdp(B, REPEAT, CALLEE_SDP) == first
    other = bench.sdp(B, REPEAT, body("198.51.100.3", 6000, version=9))
    assert bench.sets()[2]["remote"] == ["198.51.100.3", 6000]
    assert other != b""


def test_a_late_offer_comes_from_the_callee() -> None:
    bench = Bench()
    assert audio(bench.sdp(B, OFFER, CALLEE_SDP)).port == 20000
    assert audio(bench.sdp(A, ANSWER, CALLER_SDP)).port == 20002
    assert bench.sets()[1]["remote"] == ["198.51.100.1", 4000]


def version(data: bytes) -> int:
    return int((read(data).session.first("o") or "").split()[2])


def test_the_version_rises_when_our_body_changes_and_only_then() -> None:
    bench = Bench().up()
    again = bench.sdp(A, OFFER, CALLER_SDP)
    assert version(again) == 1
    hold = bench.sdp(A, OFFER, body("198.51.100.1", 4000, "a=inactive", version=77))
    assert version(hold) == 2
    assert hold.count(f"IN IP4 {US}".encode()) == 2


def test_an_odd_origin_line_is_left_as_it_is() -> None:
    data = CALLER_SDP.replace(b"o=- 42 1 IN IP4 198.51.100.1", b"o=odd")
    assert b"o=odd\r\n" in Bench().sdp(A, OFFER, data)
    words = CALLER_SDP.replace(b"o=- 42 1 ", b"o=- 42 one ")
    assert version(Bench().sdp(A, OFFER, words)) == 1


def test_a_refused_offer_leaves_what_was() -> None:
    bench = Bench().up()
    bench.sdp(A, OFFER, body("198.51.100.1", 4444))
    bench.anchor.refused("call", B)
    bench.anchor.refused("call", A)
    bench.anchor.refused("unknown", A)
    assert bench.anchor.drain() == []
    assert bench.anchor.view("call").legs[0].remote
    assert bench.sdp(B, REPEAT, CALLEE_SDP) == bench.sdp(B, REPEAT, CALLEE_SDP)


def test_the_end_closes_the_legs_and_rests_the_ports() -> None:
    bench = Bench(ports=2).up()
    assert bench.anchor.call_of(1) == "call"
    bench.anchor.ended("call")
    bench.anchor.ended("call")
    assert bench.anchor.drain() == [{"cmd": "close", "leg": 1}, {"cmd": "close", "leg": 2}]
    assert bench.anchor.call_of(1) is None
    assert audio(bench.sdp(A, OFFER, CALLER_SDP)).port == 20002
    assert bench.anchor.view("other").legs == ()


def test_a_call_that_media_never_heard_of_closes_nothing() -> None:
    anchor = Anchor(PortPool(20000, 20008), US)
    anchor.sdp("call", A, OFFER, CALLER_SDP)
    anchor.ended("call")
    assert anchor.drain() == []


# hold


def direction(data: bytes) -> Direction:
    sdp = read(data)
    return sdp.direction(sdp.media[0])


@pytest.mark.parametrize(
    ("rows", "null", "back"),
    [
        (["a=inactive"], False, Direction.INACTIVE),
        (["a=sendonly"], False, Direction.RECVONLY),
        ([], True, Direction.RECVONLY),
    ],
)
def test_the_agents_ear_stays_open_while_the_customer_holds(rows: list[str], null: bool, back: Direction) -> None:
    bench = Bench().up()
    offer = bench.sdp(A, OFFER, body("198.51.100.1", 4000, *rows, c="0.0.0.0" if null else ""))
    assert direction(offer) is Direction.SENDONLY
    assert b"0.0.0.0" not in offer
    answer = bench.sdp(B, ANSWER, body("198.51.100.2", 5000, "a=recvonly"))
    assert direction(answer) is back
    sets = bench.sets()
    assert (sets[2]["held"], sets[1]["send"]) == (True, False)
    assert bench.anchor.view("call").holds == {A}
    resumed = bench.sdp(A, OFFER, CALLER_SDP)
    assert direction(resumed) is Direction.SENDRECV
    bench.sdp(B, ANSWER, CALLEE_SDP)
    assert bench.anchor.view("call").holds == frozenset()


def test_an_agent_that_answers_inactive_is_not_opened() -> None:
    bench = Bench().up()
    bench.sdp(A, OFFER, body("198.51.100.1", 4000, "a=sendonly"))
    assert direction(bench.sdp(B, ANSWER, body("198.51.100.2", 5000, "a=inactive"))) is Direction.INACTIVE
    assert bench.anchor.view("call").holds == {A, B}


def test_the_ear_is_left_closed_where_the_trunk_says_so() -> None:
    bench = Bench(open_ear=False).up()
    assert direction(bench.sdp(A, OFFER, body("198.51.100.1", 4000, "a=inactive"))) is Direction.INACTIVE
    bench.sdp(B, ANSWER, body("198.51.100.2", 5000, "a=inactive"))
    assert bench.anchor.view("call").holds == {A}
    null = read(bench.sdp(A, OFFER, body("198.51.100.1", 4000, c="0.0.0.0")))
    assert null.address(null.media[0]) == "0.0.0.0"
    bench.sdp(B, ANSWER, CALLEE_SDP)
    assert bench.sets()[1]["remote"] is None


def test_the_agents_own_hold_is_recognised_and_passed_on() -> None:
    bench = Bench().up()
    assert direction(bench.sdp(B, OFFER, body("198.51.100.2", 5000, "a=sendonly"))) is Direction.SENDONLY
    assert direction(bench.sdp(A, ANSWER, body("198.51.100.1", 4000, "a=recvonly"))) is Direction.RECVONLY
    assert bench.anchor.view("call").holds == {B}
    assert [leg.held for leg in bench.anchor.view("call").legs] == [True, False]


def test_a_held_agent_that_re_offers_keeps_the_ear_open() -> None:
    bench = Bench().up()
    bench.sdp(B, OFFER, CALLEE_SDP)
    assert direction(bench.sdp(A, ANSWER, body("198.51.100.1", 4000, "a=inactive"))) is Direction.SENDONLY
    bench.sdp(B, OFFER, body("198.51.100.2", 5000, "a=inactive"))
    assert direction(bench.sdp(A, ANSWER, body("198.51.100.1", 4000, "a=inactive"))) is Direction.INACTIVE
    assert bench.anchor.view("call").holds == {A, B}


def test_an_inactive_answer_to_an_inactive_offer_is_no_hold_of_its_own() -> None:
    bench = Bench().up()
    bench.sdp(B, OFFER, body("198.51.100.2", 5000, "a=inactive"))
    bench.sdp(A, ANSWER, body("198.51.100.1", 4000, "a=inactive"))
    assert bench.anchor.view("call").holds == {B}


# restarts


def test_a_restarted_control_takes_up_the_legs() -> None:
    old = Bench().up()
    saved = old.anchor.dump("call")
    assert saved is not None
    anchor = Anchor(PortPool(20000, 20008), US)
    anchor.restore("call", saved, Placement("segment", B))
    assert anchor.view("call") == old.anchor.view("call")
    assert [one["cmd"] for one in anchor.drain()] == ["set", "set"]
    # Between offer and answer: still anchored.
    assert audio(anchor.sdp("call", B, ANSWER, CALLEE_SDP)).port == 20000
    offer = anchor.sdp("call", A, OFFER, body("198.51.100.1", 4000, "a=inactive"))
    assert version(offer) == 2
    anchor.place("new", Placement())
    assert audio(anchor.sdp("new", A, OFFER, CALLER_SDP)).port == 20006
    assert anchor.call_of(4) == "new"


def test_media_that_forgot_is_told_again_and_strange_legs_are_closed() -> None:
    bench = Bench().up()
    bench.anchor.resync([1, 2])
    assert bench.anchor.drain() == []
    bench.anchor.resync([1, 9])
    assert [one["cmd"] for one in bench.anchor.drain()] == ["close", "open", "open", "set", "set"]


def test_a_second_line_is_told_to_media() -> None:
    bench = Bench().up()
    bench.anchor.two_lines("call", True)
    bench.anchor.two_lines("call", True)
    bench.anchor.two_lines("unknown", True)
    assert [one["two_lines"] for one in bench.sets().values()] == [True, True]
