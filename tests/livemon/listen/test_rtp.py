"""RTP and RTCP bytes, and the time line towards a browser."""

from __future__ import annotations

import struct

import pytest
from aiortc.rtp import RtcpPacket, RtcpReceiverInfo, RtcpRrPacket, RtcpSdesPacket, RtcpSrPacket
from hypothesis import given, settings
from hypothesis import strategies as st

from livemon.listen import rtp


def test_a_header_is_read_back() -> None:
    data = rtp.header(8, True, 7, 9, 11) + b"abc"
    assert rtp.parse(data) == rtp.RtpPacket(8, True, 7, 9, 11, b"abc")


def test_csrcs_extension_and_padding_are_left_out() -> None:
    head = bytearray(rtp.header(0, False, 1, 2, 3))
    head[0] |= 0x31  # padding, extension, one CSRC
    data = bytes(head) + bytes(4) + b"\xbe\xde\x00\x01" + bytes(4) + b"abcd" + b"\0\0\x03"
    packet = rtp.parse(data)
    assert packet is not None
    assert packet.payload == b"abcd"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(12),
        b"\x90" + bytes(11),
        b"\x90" + bytes(11) + b"\0\0\0\x09",
        b"\xa0" + bytes(11),
        b"\xa0" + bytes(12) + b"\xff",
        b"\x8f" + bytes(11),
    ],
)
def test_bad_packets_are_none(data: bytes) -> None:
    packet = rtp.parse(data)
    assert packet is None or packet.payload == b""


@settings(deadline=None)  # a busy machine is no failure
@given(st.binary(max_size=100))
def test_no_bytes_raise(data: bytes) -> None:
    rtp.parse(data)
    rtp.receiver_blocks(data)
    rtp.is_rtcp(data)


def test_rtcp_is_told_from_rtp() -> None:
    assert rtp.is_rtcp(rtp.sender_report(1, 2, 3, 4, 5, b"x"))
    assert not rtp.is_rtcp(rtp.header(0, True, 1, 1, 1))
    assert not rtp.is_rtcp(b"\x80\xc8")


@pytest.mark.parametrize("cname", [b"a", b"ab", b"abc", b"abcd", b"abcde"])
def test_aiortc_reads_our_sender_report(cname: bytes) -> None:
    report, description = RtcpPacket.parse(rtp.sender_report(99, 1 << 40, 1 << 33, 5, 6, cname))
    assert isinstance(report, RtcpSrPacket)
    assert isinstance(description, RtcpSdesPacket)
    assert (report.ssrc, report.sender_info.packet_count, report.sender_info.octet_count) == (99, 5, 6)
    assert report.sender_info.ntp_timestamp == 1 << 40
    assert description.chunks[0].items == [(1, cname)]


def test_report_blocks_are_read() -> None:
    info = RtcpReceiverInfo(ssrc=5, fraction_lost=64, packets_lost=3, highest_sequence=9, jitter=80, lsr=1, dlsr=2)
    data = bytes(RtcpRrPacket(ssrc=1, reports=[info, info]))
    expected = rtp.ReceiverBlock(5, 0.25, 3, 80, 1, 2)
    assert rtp.receiver_blocks(data) == [expected, expected]
    assert rtp.receiver_blocks(rtp.sender_report(1, 2, 3, 4, 5, b"x") + data) == [expected, expected]
    negative = bytearray(data)
    negative[13:16] = b"\xff\xff\xfe"
    assert rtp.receiver_blocks(bytes(negative))[0].lost == -2
    assert rtp.receiver_blocks(data[:-1]) == []
    assert rtp.receiver_blocks(b"\0" + data[1:]) == []
    assert rtp.receiver_blocks(struct.pack(">BBHI", 0x9F, 201, 1, 7)) == []


class Play:
    """A time line and a source of 20 ms packets."""

    def __init__(self, seq: int = 65530, ts: int = 0xFFFFFF00) -> None:
        self.line = rtp.Timeline(100, 5000)
        self.seq, self.ts, self.at = seq, ts, 1_000_000

    def send(self, skip: int = 0, clock: int = 8000) -> tuple[int, int, bool]:
        self.seq += skip
        self.ts += skip * 160
        self.at += 20_000 * (1 + skip)
        placed = self.line.place(self.seq & 0xFFFF, self.ts & 0xFFFFFFFF, self.at, clock)
        self.seq += 1
        self.ts += clock // 50
        return placed


def test_the_stream_is_continuous_over_both_wraps() -> None:
    play = Play()
    got = [play.send() for _ in range(20)]
    assert [seq for seq, _, _ in got] == list(range(100, 120))
    assert [ts for _, ts, _ in got] == [5160 + 160 * n for n in range(20)]
    assert [fresh for _, _, fresh in got] == [True] + [False] * 19


def test_a_lost_packet_stays_a_hole() -> None:
    play = Play()
    play.send()
    assert play.send(skip=1) == (102, 5480, False)


def test_a_late_packet_keeps_its_place() -> None:
    play = Play(seq=10, ts=0)
    play.send()
    play.send(skip=1)
    assert play.line.place(11, 160, play.at, 8000) == (101, 5320, False)
    assert play.send() == (103, 5640, False)


def test_a_packet_left_out_is_no_hole() -> None:
    play = Play(seq=10, ts=0)
    play.line.leave_out(9)
    play.send()
    play.line.leave_out(11)
    play.line.leave_out(50)
    assert play.send(skip=1) == (101, 5480, False)


def test_another_source_continues_behind_by_the_time_passed() -> None:
    play = Play(seq=10, ts=0)
    play.send()
    play.line.cut()
    play.seq, play.ts = 50000, 123456
    play.at += 480_000
    assert play.send() == (101, 5160 + 4000, True)


@pytest.mark.parametrize(("seq", "ts", "clock"), [(40000, 160, 8000), (11, 900_000, 8000), (11, 960, 48000)])
def test_a_jump_or_another_clock_is_a_new_stream(seq: int, ts: int, clock: int) -> None:
    play = Play(seq=10, ts=0)
    play.send()
    play.seq, play.ts = seq, ts
    placed = play.send(clock=clock)
    assert placed == (101, 5160 + clock // 50, True)


def test_two_streams_at_the_same_instant_do_not_go_back() -> None:
    play = Play(seq=10, ts=0)
    _, first, _ = play.send()
    play.line.cut()
    assert play.line.place(700, 9, play.at, 8000)[1] > first
