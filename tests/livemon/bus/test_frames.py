from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.bus import frames
from livemon.bus.frames import (
    MAX_FRAME,
    Answer,
    Ask,
    BadFrame,
    Call,
    Deliver,
    Failure,
    Frame,
    FrameReader,
    Publish,
    Serve,
    Subscribe,
    Unsubscribe,
)

EVERY: list[Frame] = [
    Subscribe(1, "calls."),
    Unsubscribe(1),
    Publish("calls.a", b"\x00\xff", True),
    Serve("node.a"),
    Ask(2, "node.a", "snapshot", b"", 1.5),
    Call(3, "node.a", "snapshot", b""),
    Answer(3, b"x"),
    Failure(3, "busy", "text"),
    Deliver((1, 2), "calls.a", b"x"),
]


def data(frame: Frame) -> bytes:
    out = frames.encode(frame)
    assert isinstance(out, bytes)
    return out


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_every_frame_survives_any_cutting_of_the_stream(size: int) -> None:
    stream = b"".join(data(frame) for frame in EVERY)
    reader = FrameReader()
    got = [frame for at in range(0, len(stream), size) for frame in reader.feed(stream[at : at + size])]
    assert got == EVERY


def test_a_frame_that_is_too_large_is_not_encoded() -> None:
    assert isinstance(frames.encode(Answer(1, bytes(MAX_FRAME))), BadFrame)


def test_a_length_that_is_too_large_ends_the_stream() -> None:
    reader = FrameReader()
    got = list(reader.feed((MAX_FRAME + 1).to_bytes(4, "big") + data(Unsubscribe(1))))
    assert len(got) == 1
    assert isinstance(got[0], BadFrame)
    assert list(reader.feed(data(Unsubscribe(1)))) == []


@given(st.binary(max_size=200))
def test_any_bytes_give_frames_or_a_typed_refusal(body: bytes) -> None:
    for item in FrameReader().feed(len(body).to_bytes(4, "big") + body):
        assert isinstance(item, Frame | BadFrame)


def test_a_known_tag_with_wrong_members_is_refused() -> None:
    body = b"\x92\xa5serve\x07"  # msgpack ["serve", 7]
    (item,) = FrameReader().feed(len(body).to_bytes(4, "big") + body)
    assert isinstance(item, BadFrame)
