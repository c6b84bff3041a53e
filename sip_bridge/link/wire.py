"""Binary frames of the link, shared by the bridge's media process and the node's tap.

Everything is little-endian. Times are microseconds of the bridge's CLOCK_MONOTONIC. The document of record is
`docs/link-protocol.md`. Decoding never raises on bad bytes: it returns a `BadFrame`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

VERSION: Final = 1
"""Version of the binary frames and of the JSON messages beside them."""

PACKETS: Final = 1
ROWS: Final = 2
WHISPER: Final = 3

FLAG_DTMF: Final = 1
"""A telephone-event packet (RFC 4733); the digit in its payload has been zeroed."""
FLAG_COMFORT_NOISE: Final = 2
"""A comfort-noise packet (RFC 3389)."""
FLAG_GENERATED: Final = 4
"""Sent by the bridge itself while the far party sent nothing."""

ROW_PRESENT: Final = 1
"""The leg received at least one packet since its previous row."""
ROW_HELD: Final = 2
"""Signalling says the leg is on hold."""
ROW_WHISPERED: Final = 4
"""Supervisor audio was mixed into what this leg was sent since its previous row."""

# kind u8, version u8, count u16, epoch u32, tick u64, previous tick u64
_HEAD = struct.Struct("<BBHIQQ")
# leg u32, seq u16, marker(1) + payload type(7) u8, flags u8, rtp timestamp u32, arrival us u64, payload length u16
_PACKET = struct.Struct("<IHBBIQH")
# leg u32, packets u32, lost u32, whispered samples u32, jitter 0.1 ms u16, whisper level 0.01 dBFS i16, flags u8
_ROW = struct.Struct("<IIIIHhB3x")
# kind u8, version u8, seq u16, session u32, timestamp u32, payload length u16
_WHISPER = struct.Struct("<BBHIIH")

MAX_PAYLOAD: Final = 1500
"""Bytes of one RTP payload; more does not fit an Ethernet frame."""
MAX_WHISPER: Final = 960
"""Bytes of one whisper chunk: 120 ms of mu-law, the longest ptime in use."""
SILENT_CDBFS: Final = -9600
"""Level written when nothing was mixed, in 0.01 dBFS."""


class TapPacket(NamedTuple):
    """One RTP packet as the bridge received it."""

    leg: int
    seq: int
    payload_type: int
    marker: bool
    flags: int
    rtp_ts: int
    arrival_us: int
    payload: bytes


class TapRow(NamedTuple):
    """Counters of one leg since its call began; the whisper fields say what the leg was really sent."""

    leg: int
    packets: int
    lost: int
    whispered_samples: int
    jitter_tenth_ms: int
    whisper_cdbfs: int
    flags: int


@dataclass(frozen=True, slots=True)
class TapFrame:
    """A batch of packets or rows; `previous` names the tick of the frame before it, so that a hole is seen."""

    epoch: int
    tick: int
    previous: int
    packets: tuple[TapPacket, ...] = ()
    rows: tuple[TapRow, ...] = ()


@dataclass(frozen=True, slots=True)
class WhisperChunk:
    """Supervisor audio on its way to the bridge: mu-law, 8000 Hz, mono."""

    session: int
    seq: int
    timestamp: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class BadFrame:
    """Why a frame was refused."""

    reason: str


def head(kind: int, count: int, epoch: int, tick: int, previous: int) -> bytes:
    """Return the 24-byte head of a PACKETS or ROWS frame."""
    return _HEAD.pack(kind, VERSION, count, epoch, tick, previous)


PACKET_HEAD: Final = _PACKET.size
"""Octets of a packet record before its payload."""
packet_head: Final = _PACKET.pack
"""The head of a packet record, for callers who join many: arguments of `packet_record`, the payload's length last."""


def packet_record(
    leg: int, seq: int, pt_marker: int, flags: int, rtp_ts: int, arrival_us: int, payload: bytes
) -> bytes:
    """Return one packet record; `pt_marker` is the second byte of the RTP header, untouched."""
    return _PACKET.pack(leg, seq, pt_marker, flags, rtp_ts, arrival_us, len(payload)) + payload


def row_record(row: TapRow) -> bytes:
    """Return one leg row."""
    return _ROW.pack(*row)


def whisper_frame(chunk: WhisperChunk) -> bytes:
    """Return the frame that carries `chunk` to the bridge."""
    body = chunk.payload
    return _WHISPER.pack(WHISPER, VERSION, chunk.seq, chunk.session, chunk.timestamp, len(body)) + body


def frame_ticks(data: bytes) -> tuple[int, int, int] | None:
    """Return (epoch, tick, previous) of a tap frame without reading its records, or None if it is none."""
    if len(data) < _HEAD.size or data[0] not in (PACKETS, ROWS) or data[1] != VERSION:
        return None
    _, _, _, epoch, tick, previous = _HEAD.unpack_from(data)
    return epoch, tick, previous


def decode(data: bytes) -> TapFrame | WhisperChunk | BadFrame:
    """Decode one binary frame of either direction."""
    if len(data) < 2:
        return BadFrame("shorter than a frame head")
    if data[1] != VERSION:
        return BadFrame(f"version {data[1]} is not {VERSION}")
    kind = data[0]
    if kind == WHISPER:
        return _decode_whisper(data)
    if kind not in (PACKETS, ROWS):
        return BadFrame(f"unknown kind {kind}")
    if len(data) < _HEAD.size:
        return BadFrame("shorter than a frame head")
    _, _, count, epoch, tick, previous = _HEAD.unpack_from(data)
    if kind == ROWS:
        if len(data) != _HEAD.size + count * _ROW.size:
            return BadFrame("length does not match the number of rows")
        rows = tuple(TapRow(*fields) for fields in _ROW.iter_unpack(data[_HEAD.size :]))
        return TapFrame(epoch, tick, previous, rows=rows)
    packets = _decode_packets(data, count)
    if isinstance(packets, BadFrame):
        return packets
    return TapFrame(epoch, tick, previous, packets=packets)


def _decode_packets(data: bytes, count: int) -> tuple[TapPacket, ...] | BadFrame:
    at = _HEAD.size
    size = _PACKET.size
    end = len(data)
    out: list[TapPacket] = []
    for _ in range(count):
        if at + size > end:
            return BadFrame("cut inside a packet record")
        leg, seq, second, flags, rtp_ts, arrival, length = _PACKET.unpack_from(data, at)
        at += size
        if at + length > end:
            return BadFrame("cut inside a payload")
        payload = data[at : at + length]
        out.append(TapPacket(leg, seq, second & 0x7F, second > 0x7F, flags, rtp_ts, arrival, payload))
        at += length
    if at != end:
        return BadFrame("bytes after the last record")
    return tuple(out)


def _decode_whisper(data: bytes) -> WhisperChunk | BadFrame:
    if len(data) < _WHISPER.size:
        return BadFrame("shorter than a whisper head")
    _, _, seq, session, timestamp, length = _WHISPER.unpack_from(data)
    if length > MAX_WHISPER or len(data) != _WHISPER.size + length:
        return BadFrame("length of the whisper chunk is wrong")
    return WhisperChunk(session, seq, timestamp, data[_WHISPER.size :])
