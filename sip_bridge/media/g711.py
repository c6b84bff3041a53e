"""G.711 in both laws, mono, 8000 Hz: one octet a sample; linear is 16 bit signed, native byte order."""

from __future__ import annotations

import audioop
from enum import IntEnum
from math import log10
from typing import Final

RATE: Final = 8000
"""Samples a second."""
WIDTH: Final = 2
"""Octets of one linear sample."""
FULL_SCALE: Final = 32768.0
FLOOR_DBFS: Final = -96.0
"""Level of digital silence: the smallest step of 16 bits."""


class Law(IntEnum):
    """The two G.711 codings; the values are their static payload types (RFC 3551, table 4)."""

    PCMU = 0
    PCMA = 8


SILENCE: Final = {Law.PCMU: 0xFF, Law.PCMA: 0xD5}
"""The octet that decodes to the smallest magnitude."""


def decode(payload: bytes, law: Law) -> bytes:
    """Return the linear samples of `payload`."""
    return audioop.ulaw2lin(payload, WIDTH) if law is Law.PCMU else audioop.alaw2lin(payload, WIDTH)


def encode(linear: bytes, law: Law) -> bytes:
    """Return the G.711 octets of linear samples."""
    return audioop.lin2ulaw(linear, WIDTH) if law is Law.PCMU else audioop.lin2alaw(linear, WIDTH)


def silence(samples: int, law: Law) -> bytes:
    """Return `samples` octets of silence."""
    return bytes((SILENCE[law],)) * samples


def dbfs(rms: float) -> float:
    """Return the level of a root mean square in dB relative to a full-scale square wave, at least `FLOOR_DBFS`."""
    return max(FLOOR_DBFS, 20 * log10(rms / FULL_SCALE)) if rms > 0 else FLOOR_DBFS


def level_dbfs(linear: bytes) -> float:
    """Return the level of linear samples in dBFS; of none: the floor."""
    return dbfs(audioop.rms(linear, WIDTH))


def factor(db: float) -> float:
    """Return the amplitude factor of a gain in dB."""
    return float(10 ** (db / 20))
