from array import array

import pytest

from sip_bridge.media.g711 import FLOOR_DBFS, Law, dbfs, decode, encode, factor, level_dbfs, silence


@pytest.mark.parametrize("law", list(Law))
def test_every_octet_survives_decoding_and_encoding(law: Law) -> None:
    octets = bytes(range(256))
    again = encode(decode(octets, law), law)
    # Mu-law has two zeros; both decode to 0 and one comes back.
    assert [a for a, b in zip(octets, again, strict=True) if a != b] == ([0x7F] if law is Law.PCMU else [])


def test_known_values_of_both_laws() -> None:
    """G.711, tables 2a and 1a: the largest magnitudes and the smallest, scaled to 16 bits."""
    assert list(array("h", decode(b"\x80\x00\xff", Law.PCMU))) == [32124, -32124, 0]
    assert list(array("h", decode(b"\xaa\x2a\xd5\x55", Law.PCMA))) == [32256, -32256, 8, -8]


@pytest.mark.parametrize("law", list(Law))
def test_silence_is_the_quietest_payload(law: Law) -> None:
    quietest = min(max(map(abs, array("h", decode(bytes((octet,)), law)))) for octet in range(256))
    assert max(map(abs, array("h", decode(silence(10, law), law)))) == quietest
    assert len(silence(160, law)) == 160


def test_levels_are_relative_to_a_full_scale_square_wave() -> None:
    assert level_dbfs(array("h", [16384, -16384] * 80).tobytes()) == pytest.approx(-6.02, abs=0.01)
    assert level_dbfs(b"") == level_dbfs(bytes(320)) == FLOOR_DBFS
    assert dbfs(0.001) == FLOOR_DBFS
    assert dbfs(32768) == 0


def test_a_factor_of_6_db_doubles() -> None:
    assert factor(6.0206) == pytest.approx(2.0, abs=1e-4)
    assert factor(-20) == pytest.approx(0.1)
