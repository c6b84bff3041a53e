import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_bridge.link import wire
from sip_bridge.link.wire import BadFrame, TapFrame, TapPacket, TapRow, WhisperChunk

PACKET = TapPacket(7, 65535, 101, True, wire.FLAG_DTMF, 2**32 - 1, 2**40, b"payload")
ROW = TapRow(7, 1000, 3, 160, 12, wire.SILENT_CDBFS, wire.ROW_PRESENT)


def packets(*records: TapPacket, count: int | None = None) -> bytes:
    body = b"".join(
        wire.packet_record(one.leg, one.seq, one.payload_type | one.marker << 7, *one[4:]) for one in records
    )
    return wire.head(wire.PACKETS, len(records) if count is None else count, 5, 9, 8) + body


def rows(*records: TapRow) -> bytes:
    return wire.head(wire.ROWS, len(records), 5, 9, 8) + b"".join(map(wire.row_record, records))


def test_packets_go_round() -> None:
    other = PACKET._replace(marker=False, payload=b"")
    assert wire.decode(packets(PACKET, other)) == TapFrame(5, 9, 8, packets=(PACKET, other))


def test_rows_go_round() -> None:
    assert wire.decode(rows(ROW, ROW)) == TapFrame(5, 9, 8, rows=(ROW, ROW))


def test_a_whisper_goes_round() -> None:
    chunk = WhisperChunk(2**32 - 1, 65535, 160, b"x" * wire.MAX_WHISPER)
    assert wire.decode(wire.whisper_frame(chunk)) == chunk


def test_ticks_are_read_without_the_records() -> None:
    assert wire.frame_ticks(packets(PACKET)) == (5, 9, 8)
    assert wire.frame_ticks(rows(ROW)) == (5, 9, 8)
    whisper = wire.whisper_frame(WhisperChunk(1, 1, 1, b"x" * 40))
    for data in (b"", b"\x01\x01", whisper, b"\x01\x02" + packets(PACKET)[2:]):
        assert wire.frame_ticks(data) is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "shorter than a frame head"),
        (b"\x01\x09", "version 9 is not 1"),
        (b"\x09\x01", "unknown kind 9"),
        (b"\x01\x01\x00", "shorter than a frame head"),
        (b"\x03\x01\x00", "shorter than a whisper head"),
        (rows(ROW)[:-1], "length does not match the number of rows"),
        (packets(PACKET)[:30], "cut inside a packet record"),
        (packets(PACKET)[:-1], "cut inside a payload"),
        (packets(PACKET) + b"x", "bytes after the last record"),
        (packets(PACKET, count=2), "cut inside a packet record"),
        (wire.whisper_frame(WhisperChunk(1, 1, 1, b"x" * 961)), "length of the whisper chunk is wrong"),
        (wire.whisper_frame(WhisperChunk(1, 1, 1, b"xx"))[:-1], "length of the whisper chunk is wrong"),
    ],
)
def test_bad_frames_are_named(data: bytes, reason: str) -> None:
    assert wire.decode(data) == BadFrame(reason)


@settings(max_examples=500)
@given(st.binary(max_size=200), st.integers(0, 4))
def test_no_bytes_raise(data: bytes, kind: int) -> None:
    wire.decode(data)
    wire.decode(struct.pack("<BB", kind, wire.VERSION) + data)
    wire.frame_ticks(struct.pack("<BB", kind, wire.VERSION) + data)


def test_a_head_and_a_payload_are_a_record() -> None:
    head = wire.packet_head(7, 65535, 0x80, wire.FLAG_DTMF, 160, 1 << 40, 3)
    assert len(head) == wire.PACKET_HEAD
    assert head + b"abc" == wire.packet_record(7, 65535, 0x80, wire.FLAG_DTMF, 160, 1 << 40, b"abc")
