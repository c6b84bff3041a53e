"""Offers read and answers written."""

from __future__ import annotations

import pytest
from aiortc import sdp as aiortc_sdp
from hypothesis import given, settings
from hypothesis import strategies as st

from livemon.errors import Refused
from livemon.listen import offer as sdp

FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)
TRANSPORT = f"a=ice-ufrag:abcd\na=ice-pwd:{'x' * 24}\na=fingerprint:{FINGERPRINT}\na=setup:actpass\n"


def line(mid: str, direction: str = "recvonly", media: str = "audio") -> str:
    return (
        f"m={media} 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13\nc=IN IP4 0.0.0.0\na=mid:{mid}\na={direction}\n{TRANSPORT}"
        "a=rtpmap:111 opus/48000/2\na=fmtp:111 minptime=10;useinbandfec=1\na=fmtp:x y\na=rtpmap:63 red/48000/2\n"
        "a=rtpmap:9 G722/8000\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:13 CN/8000\na=rtpmap:bad\n"
    )


HEAD = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0 1 2\n"
OFFER = HEAD + line("0", "sendrecv") + line("1") + line("2")
LOCAL = sdp.Local("uf", "pw", "AA:BB", ["192.0.2.1", "198.51.100.1"], 5000, "cname", [11, 12, 13])


def parsed(text: str) -> sdp.Offer:
    offer = sdp.parse(text)
    assert isinstance(offer, sdp.Offer), offer
    return offer


def test_a_browser_offer_gives_three_slots() -> None:
    offer = parsed(OFFER)
    assert offer.ufrag == "abcd"
    assert offer.fingerprints == [("sha-256", ":".join(["AB"] * 32))]
    assert [slot.mid for slot in offer.slots] == ["0", "1", "2"]
    assert sdp.slot_codecs(offer.slots[0]) == {"PCMU": 0, "PCMA": 8, "G722": 9, "OPUS": 111}


def test_the_answer_is_understood_by_aiortc() -> None:
    answer = aiortc_sdp.SessionDescription.parse(sdp.answer(parsed(OFFER), LOCAL))
    assert [media.direction for media in answer.media] == ["sendrecv", "sendonly", "sendonly"]
    assert [media.ssrc[0].ssrc for media in answer.media] == [11, 12, 13]
    for media in answer.media:
        assert [codec.payloadType for codec in media.rtp.codecs] == [0, 8, 9, 111]
        assert media.ice is not None
        assert media.ice.usernameFragment == "uf"
        assert media.ice.iceLite
        assert media.dtls is not None
        assert media.dtls.role == "client"
        assert media.rtcp_mux
        assert [c.ip for c in media.ice_candidates] == ["192.0.2.1", "198.51.100.1"]
        assert media.ice_candidates[0].priority > media.ice_candidates[1].priority
    assert answer.group[0].items == ["0", "1", "2"]


def test_what_is_no_slot_is_rejected_with_port_zero() -> None:
    text = HEAD + line("v", media="video") + line("0", "recvonly") + line("1", "sendonly") + line("2", "inactive")
    lines = sdp.answer(parsed(text + line("3")), LOCAL).split("\r\n")
    assert [entry for entry in lines if entry.startswith("m=")] == [
        "m=video 0 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13",
        *["m=audio 5000 UDP/TLS/RTP/SAVPF 0 8 9 111"] * 3,
        "m=audio 0 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13",
    ]
    assert [entry for entry in lines if entry in ("a=sendonly", "a=recvonly", "a=inactive")] == [
        "a=inactive",
        "a=sendonly",
        "a=inactive",
        "a=inactive",
        "a=inactive",
    ]


def test_a_microphone_alone_is_received() -> None:
    answer = sdp.answer(parsed(HEAD + line("0", "sendonly")), LOCAL)
    assert "a=recvonly" in answer


def test_an_ipv6_address_is_written_as_such() -> None:
    local = sdp.Local("uf", "pw", "AA", ["2001:db8::1"], 5000, "c", [1])
    assert "c=IN IP6 2001:db8::1" in sdp.answer(parsed(HEAD + line("0")), local)


def test_what_cannot_be_answered_is_refused_with_its_reason() -> None:
    assert sdp.understood(OFFER).ufrag == "abcd"
    with pytest.raises(Refused, match="no_audio") as refused:
        sdp.understood("v=0\n")
    assert (refused.value.id, refused.value.status) == ("bad_sdp", 422)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not_sdp"),
        ("v=0\n" + "x" * sdp.MAX_OFFER, "not_sdp"),
        ("v=0\nm=audio\n", "bad_m_line"),
        (HEAD + line("0") * 9, "bad_m_line"),
        ("v=0\n", "no_audio"),
        (HEAD + line("0", media="video"), "no_audio"),
        (OFFER.replace("a=ice-ufrag:abcd\n", ""), "no_transport"),
        (OFFER.replace("a=fingerprint", "a=footprint"), "no_transport"),
        (OFFER.replace("actpass", "active"), "bad_setup"),
    ],
)
def test_bad_offers_are_named(text: str, reason: str) -> None:
    assert sdp.parse(text) == sdp.BadOffer(reason)


@pytest.mark.parametrize("evil", ["a=mid:x y", "a=rtpmap:200 PCMU/8000", "a=rtpmap:0 PCMU/16000", "a=ice-ufrag:\x01"])
def test_odd_attributes_are_ignored(evil: str) -> None:
    assert sdp.answer(parsed(OFFER + evil + "\n"), LOCAL) == sdp.answer(parsed(OFFER), LOCAL)


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    for candidate in (text, HEAD + text, OFFER + text):
        offer = sdp.parse(candidate)
        if isinstance(offer, sdp.Offer):
            sdp.answer(offer, LOCAL)


def test_a_tapped_packet_is_named_by_the_call_then_by_rfc_3551() -> None:
    assert sdp.source_codec(96, "PCMU", {96: "OPUS"}) == "OPUS"
    assert sdp.source_codec(8, "PCMU", {}) == "PCMA"
    assert sdp.source_codec(97, "OPUS", {}) == "OPUS"
