import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_bridge.media.rtp import BadRtp, Bounds, Packet, bounds, build, later, newer, parse

PLAIN = Packet(65535, 0xFFFFFFFF, 7, 101, True, b"payload")


def test_a_packet_survives_the_wire() -> None:
    assert parse(build(PLAIN)) == PLAIN
    assert parse(build(PLAIN._replace(marker=False))) == PLAIN._replace(marker=False)


@pytest.mark.parametrize(
    "data, wrong",
    [
        (b"", BadRtp.SHORT),
        (b"\x80" + bytes(10), BadRtp.SHORT),
        (bytes(12), BadRtp.VERSION),
        (b"\x40" + bytes(11), BadRtp.VERSION),
        (b"\x81" + bytes(11), BadRtp.SHORT),
        (b"\x90" + bytes(11), BadRtp.SHORT),
        (b"\x90" + bytes(11) + b"\0\0\0\1", BadRtp.SHORT),
        (b"\xa0" + bytes(11), BadRtp.PADDING),
        (b"\xa0" + bytes(11) + b"ab\0", BadRtp.PADDING),
        (b"\xa0" + bytes(11) + b"ab\4", BadRtp.PADDING),
        (b"\x80" + bytes(1500), BadRtp.LONG),
    ],
)
def test_bad_bytes_are_rejected_by_name(data: bytes, wrong: BadRtp) -> None:
    assert parse(data) is wrong


def test_the_payload_lies_behind_csrcs_and_extension_and_before_padding() -> None:
    data = bytes([0x80 | 0x20 | 0x10 | 2]) + bytes(11) + bytes(8) + b"\xbe\xde\0\1" + b"exte" + b"voice" + b"\0\0\3"
    assert bounds(data, len(data)) == Bounds(12 + 8 + 8, len(data) - 3)
    packet = parse(data)
    assert isinstance(packet, Packet)
    assert packet.payload == b"voice"
    assert bounds(b"\xa0" + bytes(11) + b"\1", 13) == Bounds(12, 12)


@given(st.binary(max_size=80))
def test_no_bytes_raise(data: bytes) -> None:
    packet = parse(data)
    assert isinstance(packet, BadRtp) or len(packet.payload) <= len(data) - 12


@pytest.mark.parametrize(
    "a, b, ahead", [(1, 0, 1), (0, 65535, 1), (65535, 0, -1), (32767, 0, 32767), (32768, 0, -32768)]
)
def test_sequence_numbers_wrap(a: int, b: int, ahead: int) -> None:
    assert newer(a, b) == ahead


@pytest.mark.parametrize("a, b, ahead", [(160, 0, 160), (0, 0xFFFFFF60, 160), (0xFFFFFF60, 0, -160)])
def test_timestamps_wrap(a: int, b: int, ahead: int) -> None:
    assert later(a, b) == ahead
