from __future__ import annotations

import audioop

import numpy as np
import pytest

from livemon.talk import codec

EVERY = bytes(range(256))


def test_tables_agree_with_the_reference_implementation() -> None:
    assert codec.decode(codec.PCMU, EVERY).tobytes() == audioop.ulaw2lin(EVERY, 2)
    assert codec.decode(codec.PCMA, EVERY).tobytes() == audioop.alaw2lin(EVERY, 2)


def test_linear_samples_are_big_endian() -> None:
    assert codec.decode(codec.L16, b"\x01\x02\xff\xfe").tolist() == [0x0102, -2]
    assert codec.decode(codec.L16, b"\x01\x02").dtype == np.int16


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("PCMU", codec.PCMU),
        ("pcma/8000", codec.PCMA),
        ("L16/8000/1", codec.L16),
        ("CN", codec.COMFORT_NOISE),
        ("telephone-event/8000", codec.EVENT),
        ("opus", codec.OTHER),
        ("", codec.OTHER),
    ],
)
def test_names_of_sdp(name: str, kind: int) -> None:
    assert codec.kind_of(name) == kind
