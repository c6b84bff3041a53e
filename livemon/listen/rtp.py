"""RTP and RTCP as the listening service needs them (RFC 3550): parse, build, and the mapping of a source's time line.

No I/O. Bad bytes give None, never an exception.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_HEAD: Final = struct.Struct(">BBHII")
_SENDER_REPORT: Final = struct.Struct(">BBHIQIII")
_BLOCK: Final = struct.Struct(">IIIIII")

CLOCKS: Final = {"PCMU": 8000, "PCMA": 8000, "G722": 8000, "OPUS": 48000}
"""RTP clock of each codec that is passed on; G.722's is 8000 although it samples at 16000 (RFC 3551, 4.5.2)."""
STATIC: Final = {0: "PCMU", 8: "PCMA", 9: "G722", 13: "CN"}
"""Payload types with a fixed meaning (RFC 3551, table 4; RFC 3389 for 13)."""

_JUMP_S: Final = 1.0
"""RTP time and arrival time that disagree by more than this mean a new stream behind the same leg."""
_SEQ_JUMP: Final = 100
"""Sequence numbers more than 2 s of packets ahead or behind mean the same."""


class RtpPacket(NamedTuple):
    """One RTP packet without its header extension and padding."""

    payload_type: int
    marker: bool
    seq: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse(data: bytes) -> RtpPacket | None:
    """Read one RTP packet, or return None if it is none (RFC 3550, 5.1)."""
    if len(data) < _HEAD.size or data[0] >> 6 != 2:
        return None
    first, second, seq, timestamp, ssrc = _HEAD.unpack_from(data)
    start = _HEAD.size + 4 * (first & 0x0F)
    end = len(data)
    if first & 0x10:
        if start + 4 > end:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
    if first & 0x20:
        end -= data[-1]
    if start > end:
        return None
    return RtpPacket(second & 0x7F, second > 0x7F, seq, timestamp, ssrc, data[start:end])


def is_rtcp(data: bytes) -> bool:
    """Return whether a datagram of a muxed port is RTCP (RFC 5761, 4)."""
    return len(data) >= 8 and 192 <= data[1] <= 223


def header(payload_type: int, marker: bool, seq: int, timestamp: int, ssrc: int) -> bytes:
    """Return a 12-byte RTP header."""
    return _HEAD.pack(0x80, payload_type | (0x80 if marker else 0), seq, timestamp, ssrc)


def sender_report(ssrc: int, ntp: int, timestamp: int, packets: int, octets: int, cname: bytes) -> bytes:
    """Return a compound of a sender report and the CNAME (RFC 3550, 6.1); `ntp` is 32.32 fixed point."""
    report = _SENDER_REPORT.pack(
        0x80, 200, 6, ssrc, ntp, timestamp & 0xFFFFFFFF, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF
    )
    chunk = struct.pack(">IBB", ssrc, 1, len(cname)) + cname
    chunk += bytes(4 - len(chunk) % 4)  # 6.5: ends with at least one null, on a 32-bit boundary
    return report + struct.pack(">BBH", 0x81, 202, len(chunk) // 4) + chunk


class ReceiverBlock(NamedTuple):
    """What a browser reports about one of our streams; `loss` of the last interval, 0..1; jitter in RTP units."""

    ssrc: int
    loss: float
    lost: int
    jitter: int
    last_report: int
    delay: int


def receiver_blocks(data: bytes) -> list[ReceiverBlock]:
    """Return the report blocks of an RTCP compound; stops at the first byte that makes no sense."""
    blocks: list[ReceiverBlock] = []
    at = 0
    while at + 8 <= len(data):
        first, kind, words = struct.unpack_from(">BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            break
        start = {200: at + 28, 201: at + 8}.get(kind, end)
        for offset in range(start, min(end, start + (first & 0x1F) * _BLOCK.size) - _BLOCK.size + 1, _BLOCK.size):
            ssrc, lost, _, jitter, last, delay = _BLOCK.unpack_from(data, offset)
            total = (lost & 0xFFFFFF) - (1 << 24 if lost & 0x800000 else 0)
            blocks.append(ReceiverBlock(ssrc, (lost >> 24) / 256, total, jitter, last, delay))
        at = end
    return blocks


class Timeline:
    """Maps a leg's sequence numbers and timestamps onto one continuous stream towards a browser.

    Holes and reordering of the source stay visible, so that the browser conceals what the parties did not hear
    either; a packet that is left out on purpose leaves no hole; another leg, codec or stream continues behind the
    last packet, forward by the time that has passed.
    """

    def __init__(self, seq: int, timestamp: int) -> None:
        self._next_seq = seq
        self._last_ts = timestamp
        self._last_at: int | None = None
        self._source: tuple[int, int] | None = None
        self._newest_seq = 0
        self._clock = 8000
        self._seq_offset = 0
        self._ts_offset = 0

    def place(self, seq: int, timestamp: int, arrival_us: int, clock: int) -> tuple[int, int, bool]:
        """Return (sequence number, timestamp, is the first of a stream) of a packet to send."""
        fresh = self._is_new_stream(seq, timestamp, arrival_us, clock)
        if fresh:
            self._join(seq, timestamp, arrival_us, clock)
        out_seq = (seq + self._seq_offset) & 0xFFFF
        out_ts = (timestamp + self._ts_offset) & 0xFFFFFFFF
        if fresh or _ahead16(seq, self._newest_seq):
            self._newest_seq = seq
            self._source = (timestamp, arrival_us)
            self._next_seq = (out_seq + 1) & 0xFFFF
            self._last_ts = out_ts
            self._last_at = arrival_us
        return out_seq, out_ts, fresh

    def leave_out(self, seq: int) -> None:
        """Take note that the packet `seq` is not sent on, so that it is no loss to the browser."""
        if self._source is not None and (seq - self._newest_seq) & 0xFFFF == 1:
            self._newest_seq = seq
            self._seq_offset = (self._seq_offset - 1) & 0xFFFF

    def cut(self) -> None:
        """End the source: the next packet begins a new stream."""
        self._source = None

    def _is_new_stream(self, seq: int, timestamp: int, arrival_us: int, clock: int) -> bool:
        if self._source is None or clock != self._clock:
            return True
        ahead = (seq - self._newest_seq) & 0xFFFF
        if _SEQ_JUMP < ahead < 0x10000 - _SEQ_JUMP:
            return True
        moved = ((timestamp - self._source[0] + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        return abs(moved / clock - (arrival_us - self._source[1]) / 1e6) > _JUMP_S

    def _join(self, seq: int, timestamp: int, arrival_us: int, clock: int) -> None:
        passed_us = 20_000 if self._last_at is None else max(20_000, arrival_us - self._last_at)
        self._clock = clock
        self._seq_offset = (self._next_seq - seq) & 0xFFFF
        self._ts_offset = (self._last_ts + passed_us * clock // 1_000_000 - timestamp) & 0xFFFFFFFF
        self._newest_seq = seq


def _ahead16(seq: int, newest: int) -> bool:
    return 0 < ((seq - newest) & 0xFFFF) < 0x8000
