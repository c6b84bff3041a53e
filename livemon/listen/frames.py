"""Binary frames of the WebSocket fallback; the document of record is `docs/listen-protocol.md`. No I/O.

Big-endian: kind u8, slot u8, sequence number u16, timestamp u32 (8000 Hz), then mu-law samples.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

AUDIO: Final = 1
MIC: Final = 2
MAX_SAMPLES: Final = 960
"""120 ms, the longest ptime in use and the most the link takes."""
_HEAD: Final = struct.Struct(">BBHI")


class MicFrame(NamedTuple):
    """One stretch of the microphone."""

    seq: int
    timestamp: int
    payload: bytes


def audio(slot: int, seq: int, timestamp: int, payload: bytes) -> bytes:
    """Return the frame that carries `payload` to the page."""
    return _HEAD.pack(AUDIO, slot, seq, timestamp) + payload


def mic(data: bytes) -> MicFrame | None:
    """Read a frame of the page, or return None if it is none."""
    if not _HEAD.size < len(data) <= _HEAD.size + MAX_SAMPLES or data[0] != MIC:
        return None
    _, _, seq, timestamp = _HEAD.unpack_from(data)
    return MicFrame(seq, timestamp, data[_HEAD.size :])
