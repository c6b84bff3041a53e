from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.audit.entry import GENESIS, MAX_LINE, BadLine, Entry, Head, compose, follows, parse

START = Head(0, GENESIS)


def test_a_line_reads_back_as_the_entry_that_was_composed() -> None:
    entry = compose("node-0", START, 1_700_000_000_000, "listen.started", {"call": "c1", "heard_ms": 0})
    assert parse(entry.line) == entry
    assert entry.head == Head(1, entry.hash)


def test_hostile_text_stays_inside_one_ascii_line() -> None:
    entry = compose("web", START, 0, "denied", {"reason": 'a\r\n{"forged":1}\x00\u202e'})
    assert b"\n" not in entry.line and b"\r" not in entry.line
    assert entry.line.isascii()
    read = parse(entry.line)
    assert isinstance(read, Entry) and read.fields["reason"] == 'a\r\n{"forged":1}\x00\u202e'


def test_an_entry_of_unreasonable_length_is_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        compose("web", START, 0, "denied", {"reason": "x" * MAX_LINE})


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_one_changed_byte_is_always_seen(position: int, change: int) -> None:
    line = bytearray(compose("node-0", START, 1, "listen.ended", {"call": "c1", "heard_ms": 1200}).line)
    line[position % len(line)] ^= change
    assert isinstance(parse(bytes(line)), BadLine)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_entry_never_raise(data: bytes) -> None:
    assert isinstance(parse(data), BadLine)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"seq": -1},
        {"seq": True},
        {"seq": "1"},
        {"at_ms": 1.5},
        {"kind": 7},
        {"fields": []},
        {"writer": None},
        {"prev": 0},
    ],
)
def test_members_of_the_wrong_type_are_refused_even_with_a_right_hash(change: dict[str, object]) -> None:
    assert isinstance(parse(_sealed({**_body(), **change})), BadLine)
    assert isinstance(parse(_sealed(_body())), Entry)


def test_what_is_sealed_but_no_json_object_is_refused() -> None:
    assert parse(_seal(b"nonsense" * 12)) == BadLine("not JSON")
    assert isinstance(parse(b"x" * (MAX_LINE + 1)), BadLine)


def test_follows_names_what_is_wrong() -> None:
    first = compose("w", START, 0, "a", {})
    second = compose("w", first.head, 0, "b", {})
    assert follows(second, first.head) == ""
    assert "sequence number 2 follows 0" in follows(second, START)
    assert "chain" in follows(second, Head(1, "f" * 64))


def _body() -> dict[str, object]:
    return {"v": 1, "writer": "w", "seq": 1, "at_ms": 0, "kind": "k", "fields": {}, "prev": GENESIS}


def _sealed(body: dict[str, object]) -> bytes:
    return _seal(json.dumps(body).encode()[:-1])


def _seal(covered: bytes) -> bytes:
    import hashlib

    return covered + b',"hash":"' + hashlib.sha256(covered).hexdigest().encode() + b'"}'
