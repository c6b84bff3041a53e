import struct

import numpy as np
import pytest

from livemon.demo.handset import FRAME, METER_PACKETS, SILENCE_DBFS, Ear, Mouth, level_dbfs
from livemon.demo.track import Samples


def same(data: bytes) -> bytes:
    """A codec that changes nothing."""
    return data


def track(frames: int, amplitude: int = 1000) -> Samples:
    rng = np.random.default_rng(1)
    return rng.integers(-amplitude, amplitude, frames * FRAME).astype(np.int16)


def test_a_track_becomes_packets_in_order() -> None:
    made = Mouth(track(3), same, 77)
    packets = [made.packet() for _ in range(3)]
    heads = [struct.unpack("!BBHII", packet[:12]) for packet in packets if packet]
    assert heads == [(0x80, 0x80, 0, 0, 77), (0x80, 0, 1, 160, 77), (0x80, 0, 2, 320, 77)]
    assert made.finished
    assert made.packet() is None
    assert made.position_s == pytest.approx(0.06)


def test_a_muted_phone_sends_nothing_and_goes_on_in_time() -> None:
    made = Mouth(track(4), same, 7)
    packets = [made.packet(muted) for muted in (False, True, True, False)]
    heads = [struct.unpack("!BBHII", packet[:12])[1:4] for packet in packets if packet]
    assert heads == [(0x80, 0, 0), (0x80, 1, 480)]


def test_what_the_other_said_is_recognised() -> None:
    mouth = Mouth(track(50), same, 1)
    ear = Ear(same, mouth)
    while packet := mouth.packet():
        ear.hear(packet)
    assert (ear.packets, ear.foreign, ear.hears_another) == (50, 0, False)


def test_anything_else_counts_as_foreign() -> None:
    ear = Ear(same, Mouth(track(1), same, 1))
    other = Mouth(track(METER_PACKETS, 30000), same, 2)
    while packet := other.packet():
        ear.hear(packet)
    assert ear.foreign == METER_PACKETS
    assert ear.hears_another


def test_a_phone_alone_hears_nothing_foreign() -> None:
    ear = Ear(same, None)
    packet = Mouth(track(1), same, 1).packet()
    assert packet is not None
    ear.hear(packet)
    assert ear.foreign == 0


def test_levels() -> None:
    assert level_dbfs(0.0) == SILENCE_DBFS
    assert level_dbfs(32768.0**2) == pytest.approx(0.0)
    ear = Ear(same, None)
    assert ear.dbfs == SILENCE_DBFS
    packet = Mouth(np.full(FRAME, 3277, dtype=np.int16), same, 1).packet()
    assert packet is not None
    ear.hear(packet)
    assert ear.dbfs == pytest.approx(-20.0, abs=0.01)


@pytest.mark.parametrize("datagram", [b"", b"\x80\x00", b"\x80\x65" + bytes(20), b"\x40\x00" + bytes(20)])
def test_what_is_no_sound_is_ignored(datagram: bytes) -> None:
    ear = Ear(same, None)
    ear.hear(datagram)
    assert ear.packets == 0
