"""RTCP: sender and receiver reports (RFC 3550, 6.4), parsed and built."""

from __future__ import annotations

import struct
from enum import Enum
from typing import Final, NamedTuple

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SOURCE_DESCRIPTION: Final = 202
GOODBYE: Final = 203
MUX_FIRST: Final = 192
MUX_LAST: Final = 223
"""Second octets that mean RTCP on an RTP port (RFC 5761, 4)."""
NTP_EPOCH: Final = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 868)."""

_HEAD = struct.Struct(">BBHI")
_SENDER = struct.Struct(">IIIII")
_BLOCK = struct.Struct(">IIIIII")


class BadRtcp(Enum):
    """Why bytes are no RTCP packet."""

    SHORT = "shorter than its header"
    VERSION = "version is not 2"
    FIRST = "does not begin with a report"
    LENGTH = "a length does not match"


class Block(NamedTuple):
    """What a receiver says of one source; jitter in timestamp units, `lsr` and `dlsr` in 1/65536 s."""

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    lsr: int
    dlsr: int


class Sender(NamedTuple):
    """The sender part of a sender report; `ntp` is 32.32 fixed point."""

    ntp: int
    timestamp: int
    packets: int
    octets: int


class Report(NamedTuple):
    """One compound packet, boiled down to its reports."""

    ssrc: int
    sender: Sender | None
    blocks: tuple[Block, ...]
    goodbye: bool


def ntp_time(utc_ns: int) -> int:
    """Return the 64-bit NTP time of UTC nanoseconds since 1970."""
    seconds, rest = divmod(utc_ns, 1_000_000_000)
    return (seconds + NTP_EPOCH & 0xFFFFFFFF) << 32 | (rest << 32) // 1_000_000_000


def parse(data: bytes) -> Report | BadRtcp:
    """Parse one compound packet; parts of unknown type are skipped (RFC 3550, 6.1)."""
    if len(data) < _HEAD.size:
        return BadRtcp.SHORT
    if data[1] not in (SENDER_REPORT, RECEIVER_REPORT):
        return BadRtcp.FIRST
    ssrc = _HEAD.unpack_from(data)[3]
    sender: Sender | None = None
    blocks: list[Block] = []
    goodbye = False
    at = 0
    while at < len(data):
        part = _part(data, at)
        if isinstance(part, BadRtcp):
            return part
        kind, count, body = part
        if kind == SENDER_REPORT:
            high, low, *rest = _SENDER.unpack_from(body, 4)
            sender = Sender(high << 32 | low, *rest)
        if kind in (SENDER_REPORT, RECEIVER_REPORT):
            blocks += _blocks(body[_report_head(kind) :], count)
        goodbye |= kind == GOODBYE
        at += 4 + len(body)
    return Report(ssrc, sender, tuple(blocks), goodbye)


def build(report: Report, cname: bytes) -> bytes:
    """Return the compound packet of `report`, closed by a source description with `cname` (RFC 3550, 6.5.1)."""
    blocks = b"".join(_pack_block(block) for block in report.blocks)
    kind = RECEIVER_REPORT if report.sender is None else SENDER_REPORT
    body = b""
    if report.sender is not None:
        ntp, timestamp, packets, octets = report.sender
        body = _SENDER.pack(ntp >> 32, ntp & 0xFFFFFFFF, timestamp, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
    body += blocks
    out = _HEAD.pack(0x80 | len(report.blocks), kind, 1 + len(body) // 4, report.ssrc) + body
    # One chunk: SSRC, item CNAME (1), the end octet, zeros up to a 32-bit boundary.
    item = bytes((1, len(cname))) + cname + b"\0"
    item += b"\0" * (-len(item) % 4)
    out += _HEAD.pack(0x81, SOURCE_DESCRIPTION, 1 + len(item) // 4, report.ssrc) + item
    if report.goodbye:
        out += _HEAD.pack(0x81, GOODBYE, 1, report.ssrc)
    return out


def _part(data: bytes, at: int) -> tuple[int, int, bytes] | BadRtcp:
    if len(data) < at + 4:
        return BadRtcp.SHORT
    first, kind = data[at], data[at + 1]
    if first & 0xC0 != 0x80:
        return BadRtcp.VERSION
    end = at + 4 + 4 * (data[at + 2] << 8 | data[at + 3])
    body = data[at + 4 : end]
    count = first & 0x1F
    if end > len(data):
        return BadRtcp.LENGTH
    if kind in (SENDER_REPORT, RECEIVER_REPORT) and len(body) < _report_head(kind) + count * _BLOCK.size:
        return BadRtcp.LENGTH
    return kind, count, body


def _report_head(kind: int) -> int:
    """Return the octets between a report's length field and its first block."""
    return 4 + (_SENDER.size if kind == SENDER_REPORT else 0)


def _blocks(body: bytes, count: int) -> list[Block]:
    out: list[Block] = []
    for index in range(count):
        ssrc, loss, highest, jitter, lsr, dlsr = _BLOCK.unpack_from(body, index * _BLOCK.size)
        lost = loss & 0xFFFFFF
        # RFC 3550, 6.4.1: the 24-bit count is signed, duplicates make it negative.
        out.append(Block(ssrc, loss >> 24, lost - ((lost & 0x800000) << 1), highest, jitter, lsr, dlsr))
    return out


def _pack_block(block: Block) -> bytes:
    lost = max(-0x800000, min(0x7FFFFF, block.lost)) & 0xFFFFFF
    loss = block.fraction << 24 | lost
    return _BLOCK.pack(block.ssrc, loss, block.highest, block.jitter, block.lsr, block.dlsr)
