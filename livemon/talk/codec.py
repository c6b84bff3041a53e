"""Decoding by table: G.711 octets to 16-bit samples for many packets at once."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Octets = NDArray[np.uint8]

NONE: Final = 0
"""No packet of the party: an unknown payload type, or sent by the bridge itself."""
PCMU: Final = 1
PCMA: Final = 2
L16: Final = 3
COMFORT_NOISE: Final = 4
EVENT: Final = 5
OTHER: Final = 6
"""A codec this analysis cannot decode: the leg's packets count, its sound does not."""

_NAMES: Final = {"PCMU": PCMU, "PCMA": PCMA, "L16": L16, "CN": COMFORT_NOISE, "TELEPHONE-EVENT": EVENT}


def kind_of(name: str) -> int:
    """Return the decoder for an SDP encoding name; clock rates and letter case do not matter."""
    return _NAMES.get(name.partition("/")[0].upper(), OTHER)


def _mu_law_table() -> Samples:
    # ITU-T G.711 table 2a: all bits are inverted on the line; bias 33 in units of 14-bit samples is 132 in 16 bit.
    octet = ~np.arange(256, dtype=np.uint8)
    magnitude = ((((octet & 0x0F).astype(np.int32) << 3) + 132) << ((octet >> 4) & 7)) - 132
    return np.where(octet & 0x80, -magnitude, magnitude).astype(np.int16)


def _a_law_table() -> Samples:
    # ITU-T G.711 table 1a: even bits are inverted on the line; a set sign bit means positive.
    octet = np.arange(256, dtype=np.uint8) ^ np.uint8(0x55)
    mantissa = (octet & 0x0F).astype(np.int32) << 4
    segment = ((octet >> 4) & 7).astype(np.int32)
    magnitude = np.where(segment == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(segment - 1, 0))
    return np.where(octet & 0x80, magnitude, -magnitude).astype(np.int16)


_TABLES: Final = {PCMU: _mu_law_table(), PCMA: _a_law_table()}


def decode(kind: int, payloads: bytes) -> Samples:
    """Return the samples of joined payloads; `kind` is PCMU, PCMA or L16 (RFC 3551, 4.5.11: big-endian)."""
    if kind == L16:
        return np.frombuffer(payloads, dtype=">i2").astype(np.int16)
    return np.take(_TABLES[kind], np.frombuffer(payloads, dtype=np.uint8))
