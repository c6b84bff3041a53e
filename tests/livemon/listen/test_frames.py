"""The frames of the fallback, byte for byte."""

from __future__ import annotations

import pytest

from livemon.listen import frames


def test_an_audio_frame_is_what_the_document_says() -> None:
    assert frames.audio(1, 0x0203, 0x04050607, b"\xff\xfe").hex() == "0101020304050607fffe"


def test_a_mic_frame_is_read() -> None:
    assert frames.mic(bytes.fromhex("0200000100000002ff")) == frames.MicFrame(1, 2, b"\xff")


@pytest.mark.parametrize("data", [b"", bytes(8), b"\x02" + bytes(7), b"\x01" + bytes(20), b"\x02" + bytes(968)])
def test_anything_else_is_none(data: bytes) -> None:
    assert frames.mic(data) is None
