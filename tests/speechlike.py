"""Speech-like sound with known truth, and RTP made of it: for tests without recordings.

A voice is a glottal pulse train through two formants, modulated at the syllable rate, with the pitch moving: webrtcvad
takes it for speech. Everything is seeded and exact to the sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sip_bridge.link.wire import FLAG_COMFORT_NOISE, TapPacket

RATE: Final = 8000
Sound = NDArray[np.float64]
Spans = Sequence[tuple[float, float]]


def voice(seconds: float, seed: int = 1, dbfs: float = -22.0) -> Sound:
    """Return that much continuous speech-like sound at `dbfs`, without pauses."""
    count = round(seconds * RATE)
    rng = np.random.default_rng(seed)
    t = np.arange(count) / RATE
    pitch = 125 + 20 * np.sin(2 * np.pi * 0.9 * t + seed) + 6 * np.sin(2 * np.pi * 2.3 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = np.zeros(count)
    for harmonic in range(1, 26):
        frequency = harmonic * 125
        formant = np.exp(-(((frequency - 550) / 350) ** 2)) + 0.5 * np.exp(-(((frequency - 1600) / 500) ** 2)) + 0.03
        sound += formant * np.sin(harmonic * phase)
    sound += 0.15 * rng.standard_normal(count)
    sound *= 0.65 + 0.35 * np.sin(2 * np.pi * 4.0 * t)
    rms = float(np.sqrt(np.mean(sound**2))) or 1.0
    return np.asarray(sound * (10 ** (dbfs / 20) / rms))


def talk(length: float, spans: Spans, seed: int = 1, dbfs: float = -22.0, noise_dbfs: float = -66.0) -> bytes:
    """Return `length` seconds of mu-law: speech in `spans` over a noise floor."""
    rng = np.random.default_rng(seed + 1000)
    sound = rng.standard_normal(round(length * RATE)) * 10 ** (noise_dbfs / 20)
    for number, (start, end) in enumerate(spans):
        at = round(start * RATE)
        piece = voice(end - start, seed + number, dbfs)
        piece = piece[: max(0, len(sound) - at)]
        sound[at : at + len(piece)] += piece
    return mulaw(sound)


def mulaw(sound: Sound) -> bytes:
    """Encode to G.711 mu-law by its definition (ITU-T G.711), in numbers of 14 bit."""
    value = np.clip(np.round(sound * 8192), -8158, 8158).astype(np.int64)
    magnitude = np.abs(value) + 33
    exponent = np.floor(np.log2(magnitude)).astype(np.int64) - 5
    mantissa = (magnitude >> (exponent + 1)) & 0x0F
    sign = np.where(value < 0, 0x80, 0)
    octets: bytes = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8).tobytes()
    return octets


def packets(
    leg: int,
    octets: bytes,
    start_us: int = 1_000_000,
    ptime: int = 20,
    seq: int = 1000,
    stamp: int = 50_000,
    ppm: float = 0.0,
    payload_type: int = 0,
) -> list[TapPacket]:
    """Cut mu-law into RTP packets that arrive when their last sample was spoken, by a clock `ppm` too fast."""
    size = ptime * 8
    out = []
    for number, at in enumerate(range(0, len(octets) - size + 1, size)):
        arrival = start_us + round((at + size) * 125 / (1 + ppm * 1e-6))
        out.append(
            TapPacket(
                leg,
                (seq + number) & 0xFFFF,
                payload_type,
                number == 0,
                0,
                (stamp + at) & 0xFFFFFFFF,
                arrival,
                octets[at : at + size],
            )
        )
    return out


def suppressed(
    stream: Sequence[TapPacket], spans: Spans, comfort_noise: bool, start_us: int = 1_000_000
) -> list[TapPacket]:
    """Return what a phone with silence suppression sends: nothing (or one comfort-noise packet) outside `spans`."""
    out: list[TapPacket] = []
    quiet = False
    for packet in stream:
        at = (packet.arrival_us - start_us) / 1e6
        speaking = any(start <= at <= end + 0.04 for start, end in spans)
        if not speaking and (quiet or not comfort_noise):
            quiet = True
            continue
        seq = (out[-1].seq + 1) & 0xFFFF if out else packet.seq
        if speaking:
            out.append(packet._replace(seq=seq, marker=quiet))
        else:
            out.append(packet._replace(seq=seq, payload_type=13, flags=FLAG_COMFORT_NOISE, payload=b"\x40"))
        quiet = not speaking
    return out


def network(
    stream: Iterable[TapPacket], seed: int = 1, loss: float = 0.0, jitter_ms: float = 0.0, reorder: float = 0.0
) -> list[TapPacket]:
    """Return the stream as a network delivers it: lost, delayed by up to `jitter_ms`, swapped with the next one."""
    rng = Random(seed)
    out = []
    for packet in stream:
        if rng.random() < loss:
            continue
        delay = rng.random() * jitter_ms + (25.0 if rng.random() < reorder else 0.0)
        out.append(packet._replace(arrival_us=packet.arrival_us + round(delay * 1000)))
    return sorted(out, key=lambda packet: packet.arrival_us)
