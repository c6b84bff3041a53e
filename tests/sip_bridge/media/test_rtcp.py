import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_bridge.media.rtcp import BadRtcp, Block, Report, Sender, build, ntp_time, parse

BLOCK = Block(0x11111111, 64, 1000, 70000, 12, 0xABCD, 0x1234)
SENDER = Sender(ntp_time(1_700_000_000_500_000_000), 160, 5, 800)


@pytest.mark.parametrize("sender", [SENDER, None])
@pytest.mark.parametrize("blocks", [(), (BLOCK,), (BLOCK, BLOCK._replace(lost=-3))])
@pytest.mark.parametrize("goodbye", [True, False])
def test_a_report_survives_the_wire(sender: Sender | None, blocks: tuple[Block, ...], goodbye: bool) -> None:
    report = Report(0x22222222, sender, blocks, goodbye)
    data = build(report, b"cname")
    assert len(data) % 4 == 0
    assert parse(data) == report


def test_the_source_description_is_padded_to_a_word() -> None:
    for length in range(8):
        assert len(build(Report(1, None, (), False), b"x" * length)) % 4 == 0


def test_ntp_counts_from_1900_in_32_32_fixed_point() -> None:
    assert ntp_time(0) == 2_208_988_800 << 32
    assert ntp_time(500_000_000) & 0xFFFFFFFF == 1 << 31


def test_loss_is_held_within_24_bits() -> None:
    for lost, kept in ((1 << 30, 0x7FFFFF), (-(1 << 30), -0x800000)):
        report = parse(build(Report(1, None, (BLOCK._replace(lost=lost),), False), b"c"))
        assert isinstance(report, Report)
        assert report.blocks[0].lost == kept


def test_an_unknown_part_is_skipped() -> None:
    data = build(Report(1, None, (), False), b"c") + b"\x80\xcc\0\1" + b"name"
    assert parse(data) == Report(1, None, (), False)


@pytest.mark.parametrize(
    "data, wrong",
    [
        (b"", BadRtcp.SHORT),
        (b"\x80\xc9\0\1abc", BadRtcp.SHORT),
        (b"\x80\xca\0\1abcd", BadRtcp.FIRST),
        (b"\x40\xc9\0\1abcd", BadRtcp.VERSION),
        (b"\x80\xc9\0\2abcd", BadRtcp.LENGTH),
        (b"\x81\xc9\0\1abcd", BadRtcp.LENGTH),
        (b"\x80\xc8\0\1abcd", BadRtcp.LENGTH),
        (b"\x80\xc9\0\0abcd", BadRtcp.LENGTH),
        (b"\x80\xc9\0\1abcd\x80", BadRtcp.SHORT),
    ],
)
def test_bad_bytes_are_rejected_by_name(data: bytes, wrong: BadRtcp) -> None:
    assert parse(data) is wrong


@given(st.binary(max_size=80), st.sampled_from([200, 201]))
def test_no_bytes_raise(data: bytes, kind: int) -> None:
    assert isinstance(parse(bytes((0x80, kind)) + data), Report | BadRtcp)
