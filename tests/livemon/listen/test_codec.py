"""Every codec a leg or a microphone may have ends as mu-law of the same tone."""

from __future__ import annotations

import math
from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext

from livemon.listen.codec import ToUlaw
from tests.listening import from_ulaw, peak_hz, tone


def encoded(name: str, rate: int, seconds: float = 1.0) -> list[bytes]:
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = rate
    context.layout = "mono"
    context.format = "s16"
    context.time_base = Fraction(1, rate)
    packets: list[bytes] = []
    size = rate // 50
    for at in range(0, int(rate * seconds), size):
        pcm = (8000 * np.sin(2 * math.pi * 1000 * np.arange(at, at + size) / rate)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate
        frame.pts = at
        packets += [bytes(packet) for packet in context.encode(frame)]
    return packets


@pytest.mark.parametrize(("codec", "name", "rate"), [("OPUS", "libopus", 48000), ("G722", "g722", 16000)])
def test_wide_codecs_are_decoded(codec: str, name: str, rate: int) -> None:
    decoder = ToUlaw(codec)
    heard = b"".join(decoder.decode(payload) for payload in encoded(name, rate))
    assert 7500 < len(heard) <= 8100
    found, share = peak_hz(from_ulaw(heard)[1600:], 8000)
    assert abs(found - 1000) < 5
    assert share > 0.95
    assert decoder.bad == 0


def test_pcmu_passes_untouched_and_pcma_is_recoded() -> None:
    assert ToUlaw("PCMU").decode(b"\x00\xff") == b"\x00\xff"
    alaw = b"".join(encoded("pcm_alaw", 8000))
    heard = ToUlaw("PCMA").decode(alaw)
    assert abs(peak_hz(from_ulaw(heard), 8000)[0] - 1000) < 5
    assert abs(peak_hz(from_ulaw(tone(1000, 0, 8000)), 8000)[0] - 1000) < 5


def test_an_unknown_codec_and_junk_give_nothing() -> None:
    assert ToUlaw("G729").decode(b"abc") == b""
    decoder = ToUlaw("OPUS")
    assert decoder.decode(b"\xff\xff\xff") == b""
    assert decoder.bad == 1
