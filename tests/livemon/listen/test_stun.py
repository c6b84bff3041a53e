"""STUN: what aioice sends is understood, what we send is understood by aioice, and junk is named."""

from __future__ import annotations

import pytest
from aioice import stun as peer
from hypothesis import given, settings
from hypothesis import strategies as st

from livemon.listen import stun

TRANSACTION = bytes(range(12))


def read(data: bytes) -> peer.Message:
    message = peer.parse_message(data)
    assert message.check_message_integrity(b"secret")
    return message


def from_aioice(attributes: dict[str, object] | None = None) -> bytes:
    message = peer.Message(peer.Method.BINDING, peer.Class.REQUEST, TRANSACTION)
    message.attributes["USERNAME"] = "ours:theirs"
    message.attributes.update(attributes or {})
    message.add_message_integrity(b"secret")
    message.add_fingerprint()
    return bytes(message)


def parsed(data: bytes) -> stun.BindingRequest:
    request = stun.parse(data)
    assert isinstance(request, stun.BindingRequest)
    return request


def test_a_check_of_aioice_is_understood() -> None:
    request = parsed(from_aioice({"USE-CANDIDATE": None, "PRIORITY": 7, "ICE-CONTROLLING": 1}))
    assert request.local == "ours"
    assert request.transaction == TRANSACTION
    assert request.use_candidate
    assert not request.controlled
    assert request.unknown == ()
    assert request.is_signed_with("secret")
    assert not request.is_signed_with("wrong")


def test_our_own_request_is_read_back_and_by_aioice() -> None:
    data = stun.request(TRANSACTION, "ours:theirs", "secret", use_candidate=True)
    assert parsed(data).is_signed_with("secret")
    assert read(data).attributes["USERNAME"] == "ours:theirs"
    other = parsed(stun.request(TRANSACTION, "ours:theirs", "secret", use_candidate=False, controlled=True))
    assert other.controlled
    assert not other.use_candidate


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_aioice_accepts_our_answer(host: str) -> None:
    answer = stun.success(parsed(from_aioice()), host, 40000, "secret")
    message = read(answer)
    assert message.message_class == peer.Class.RESPONSE
    assert message.attributes["XOR-MAPPED-ADDRESS"] == (host, 40000)


def test_errors_carry_their_code() -> None:
    request = parsed(from_aioice())
    role = read(stun.error(request, 487, "Role Conflict", "secret"))
    assert role.attributes["ERROR-CODE"] == (487, "Role Conflict")


def test_an_unknown_required_attribute_is_named() -> None:
    data = bytearray(stun.request(TRANSACTION, "ours:theirs", "secret", use_candidate=True))
    at = data.index(b"\x00\x25\x00\x00")
    data[at : at + 2] = b"\x7f\xff"
    request = parsed(bytes(data))
    assert request.unknown == (0x7FFF,)
    assert b"\x00\x0a\x00\x02\x7f\xff" in stun.error(request, 420, "Unknown Attribute", "secret")


def test_what_follows_the_integrity_is_ignored() -> None:
    data = stun.request(TRANSACTION, "a:b", "secret", use_candidate=False)
    extra = b"\x00\x25\x00\x00"
    longer = data[:2] + (len(data) - 20 + 4).to_bytes(2, "big") + data[4:] + extra
    request = parsed(longer)
    assert request.is_signed_with("secret")
    assert not request.use_candidate


def bad(data: bytes) -> str:
    request = stun.parse(data)
    assert isinstance(request, stun.BadStun)
    return request.reason


def with_length(head: bytes, body: bytes) -> bytes:
    return head[:2] + len(body).to_bytes(2, "big") + head[4:20] + body


def test_every_refusal_has_its_reason() -> None:
    good = stun.request(TRANSACTION, "a:b", "secret", use_candidate=False)
    assert bad(good[:19]) == "short"
    assert bad(b"\0\1\0\0" + bytes(16)) == "not_stun"
    assert bad(good + b"\0") == "not_stun"
    assert bad(good[:1] + b"\x11" + good[2:]) == "not_binding_request"
    assert bad(with_length(good, b"")) == "no_integrity"
    assert bad(with_length(good, b"\x00\x06\x00\x40abcd")) == "attributes"
    assert (
        bad(with_length(good, b"".join((0x9000 + n).to_bytes(2, "big") + b"\0\0" for n in range(40)))) == "attributes"
    )
    assert bad(with_length(good, b"\x00\x08\x00\x14" + bytes(20))) == "no_username"
    assert bad(with_length(good, b"\x00\x06\x00\x01a\0\0\0\x00\x08\x00\x04" + bytes(4))) == "no_username"


@settings(deadline=None)  # a busy machine is no failure
@given(st.binary(max_size=200))
def test_no_bytes_raise(body: bytes) -> None:
    stun.parse(body)
    stun.parse(with_length(stun.request(TRANSACTION, "a:b", "x", use_candidate=False), body))
