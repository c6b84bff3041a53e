"""Decoding of wide codecs to mu-law at 8000 Hz, for the microphone and for the fallback.

G.711 never comes here. Opus and G.722 are decoded by FFmpeg (PyAV), one decoder per stream.
"""

from __future__ import annotations

import audioop
from typing import Final

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler

_NAMES: Final = {"OPUS": ("opus", 48000), "G722": ("g722", 16000)}


class ToUlaw:
    """Turns the payloads of one stream into mu-law; a payload that cannot be decoded gives b""."""

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self._decoder: AudioCodecContext | None = None
        self._resampler: AudioResampler | None = None
        self.bad = 0
        if codec in _NAMES:
            name, rate = _NAMES[codec]
            decoder = av.CodecContext.create(name, "r")
            assert isinstance(decoder, AudioCodecContext)
            decoder.sample_rate = rate
            decoder.layout = "mono"
            self._decoder = decoder
            self._resampler = AudioResampler(format="s16", layout="mono", rate=8000)

    def decode(self, payload: bytes) -> bytes:
        """Return the mu-law samples of one payload."""
        if self.codec == "PCMU":
            return payload
        if self.codec == "PCMA":
            return audioop.lin2ulaw(audioop.alaw2lin(payload, 2), 2)
        if self._decoder is None or self._resampler is None:
            return b""
        try:
            frames = self._decoder.decode(av.Packet(payload))
        except av.FFmpegError:
            self.bad += 1
            return b""
        pcm = b"".join(
            bytes(made.planes[0])[: made.samples * 2] for frame in frames for made in self._resampler.resample(frame)
        )
        return audioop.lin2ulaw(pcm, 2)
