"""RTP packets on the wire (RFC 3550, 5.1)."""

from __future__ import annotations

import struct
from enum import Enum
from typing import Final, NamedTuple

HEADER: Final = struct.Struct(">BBHII")
"""First octet, marker and payload type, sequence number, timestamp, SSRC."""
NUMBERS: Final = struct.Struct(">HII")
"""The fields a relay rewrites, from octet 2: sequence number, timestamp, SSRC."""
HEADER_SIZE: Final = 12
MAX_PACKET: Final = 1500
"""Octets of the largest packet taken: what fits an Ethernet frame."""
VERSION_2: Final = 0x80
M16: Final = 0xFFFF
M32: Final = 0xFFFFFFFF


class BadRtp(Enum):
    """Why bytes are no RTP packet."""

    SHORT = "shorter than its header"
    VERSION = "version is not 2"
    PADDING = "padding is longer than the payload"
    LONG = "does not fit an Ethernet frame"


class Bounds(NamedTuple):
    """Where the payload of a packet lies."""

    start: int
    end: int


class Packet(NamedTuple):
    """A parsed packet; CSRCs, extension and padding are not kept."""

    seq: int
    timestamp: int
    ssrc: int
    payload_type: int
    marker: bool
    payload: bytes


def bounds(data: bytes | bytearray, size: int) -> Bounds | BadRtp:
    """Return where the payload lies in the first `size` octets of `data`."""
    if size > MAX_PACKET:
        return BadRtp.LONG
    if size < HEADER_SIZE:
        return BadRtp.SHORT
    first = data[0]
    if first & 0xC0 != VERSION_2:
        return BadRtp.VERSION
    start = HEADER_SIZE + 4 * (first & 0x0F)
    if first & 0x10:
        # RFC 3550, 5.3.1: a 4-octet head whose second half counts the 32-bit words that follow it.
        if size < start + 4:
            return BadRtp.SHORT
        start += 4 + 4 * (data[start + 2] << 8 | data[start + 3])
    if start > size:
        return BadRtp.SHORT
    if not first & 0x20:
        return Bounds(start, size)
    # RFC 3550, 5.1: the last octet counts the padding, itself included.
    padding = data[size - 1]
    if not 1 <= padding <= size - start:
        return BadRtp.PADDING
    return Bounds(start, size - padding)


def parse(data: bytes) -> Packet | BadRtp:
    """Parse one datagram."""
    where = bounds(data, len(data))
    if isinstance(where, BadRtp):
        return where
    _, second, seq, timestamp, ssrc = HEADER.unpack_from(data)
    return Packet(seq, timestamp, ssrc, second & 0x7F, second > 0x7F, bytes(data[where.start : where.end]))


def build(packet: Packet) -> bytes:
    """Return the datagram of `packet`, with a plain 12-octet header."""
    second = packet.payload_type | (0x80 if packet.marker else 0)
    return HEADER.pack(VERSION_2, second, packet.seq, packet.timestamp, packet.ssrc) + packet.payload


def newer(a: int, b: int) -> int:
    """Return how far sequence number `a` is ahead of `b`, -32768 to 32767."""
    return ((a - b + 0x8000) & M16) - 0x8000


def later(a: int, b: int) -> int:
    """Return how many timestamp units `a` is ahead of `b`, modulo 2**32 and signed."""
    return ((a - b + 0x80000000) & M32) - 0x80000000
