from array import array

import pytest

from sip_bridge.media.g711 import FLOOR_DBFS, Law, decode, encode, silence
from sip_bridge.media.mix import DUCK_DB, PAUSE_NS, Mixer, Voice

MS = 1_000_000
FRAME = array("h", [4000] * 160).tobytes()


def first(payload: bytes | None, law: Law = Law.PCMU) -> int:
    assert payload is not None
    return array("h", decode(payload, law))[0]


@pytest.mark.parametrize("law", list(Law))
def test_the_sum_is_ducked_carrier_plus_whisper(law: Law) -> None:
    mixer = Mixer()
    mixer.put(1, FRAME, 0)
    carrier = encode(array("h", [8000] * 160).tobytes(), law)
    expected = 8000 * 10 ** (DUCK_DB / 20) + 4000
    assert first(mixer.blend(carrier, law, 0), law) == pytest.approx(expected, rel=0.04)


def test_gain_and_duck_are_in_decibel() -> None:
    mixer = Mixer()
    mixer.tune(1, 6.0206, -20.0)
    mixer.put(1, FRAME, 0)
    carrier = encode(array("h", [10000] * 160).tobytes(), Law.PCMU)
    assert first(mixer.blend(carrier, Law.PCMU, 0)) == pytest.approx(9000, rel=0.04)


def test_the_sum_saturates() -> None:
    mixer = Mixer()
    mixer.tune(1, 12.0, 0.0)
    mixer.put(1, array("h", [30000] * 160).tobytes(), 0)
    carrier = encode(array("h", [30000] * 160).tobytes(), Law.PCMU)
    assert first(mixer.blend(carrier, Law.PCMU, 0)) == 32124


def test_two_supervisors_are_both_heard() -> None:
    mixer = Mixer()
    mixer.put(1, FRAME, 0)
    mixer.put(2, FRAME, 0)
    assert mixer.speakers(0) == [1, 2]
    assert first(mixer.blend(silence(160, Law.PCMU), Law.PCMU, 0)) == pytest.approx(8000, rel=0.04)


def test_a_short_queue_fills_what_it_can() -> None:
    mixer = Mixer()
    mixer.put(1, FRAME[:160], 0)
    mixed = mixer.blend(silence(160, Law.PCMU), Law.PCMU, 0)
    assert mixed is not None
    samples = array("h", decode(mixed, Law.PCMU))
    assert (samples[79] > 3000, samples[80]) == (True, 0)
    assert mixer.samples == 80


def test_mixing_pauses_60_ms_after_the_last_samples() -> None:
    mixer = Mixer()
    mixer.put(1, FRAME, 0)
    assert mixer.blend(bytes(160), Law.PCMU, 0) is not None
    assert mixer.blend(bytes(160), Law.PCMU, PAUSE_NS - 1) is not None
    assert mixer.active
    assert mixer.blend(bytes(160), Law.PCMU, PAUSE_NS) is None
    assert not mixer.active


def test_a_new_mixer_is_at_rest() -> None:
    mixer = Mixer()
    assert not mixer.active
    assert not mixer.speaking(0)
    assert not Voice().speaking(0)


def test_silencing_a_supervisor_leaves_the_other() -> None:
    mixer = Mixer()
    mixer.put(1, FRAME, 0)
    mixer.put(2, FRAME, 0)
    mixer.silence(1)
    assert mixer.active
    assert mixer.speakers(0) == [2]
    mixer.silence(2)
    mixer.silence(2)
    assert not mixer.active
    assert mixer.blend(bytes(160), Law.PCMU, 0) is None


def test_the_level_is_that_of_what_was_mixed_since_it_was_last_asked() -> None:
    mixer = Mixer()
    assert mixer.level_dbfs() == FLOOR_DBFS
    mixer.put(1, FRAME, 0)
    mixer.blend(silence(160, Law.PCMU), Law.PCMU, 0)
    assert mixer.level_dbfs() == pytest.approx(-18.27, abs=0.02)
    assert mixer.level_dbfs() == FLOOR_DBFS


def test_copies_and_late_chunks_are_recognised_and_a_new_beginning_is_not_one() -> None:
    mixer = Mixer()
    assert [mixer.advance(1, seq) for seq in (65535, 0, 0, 65535, 1)] == [True, True, False, False, True]
    assert mixer.advance(1, 60000)
    assert mixer.advance(2, 0)
    mixer.silence(2)
    assert mixer.advance(2, 0)


def test_of_two_who_speak_the_deeper_ducking_counts() -> None:
    carrier = encode(array("h", [8000] * 160).tobytes(), Law.PCMU)
    for first, second in ((-6.0, -20.0), (-20.0, -6.0)):
        mixer = Mixer()
        mixer.tune(1, 0.0, first)
        mixer.tune(2, 0.0, second)
        for session in (1, 2):
            mixer.put(session, bytes(320), 0)
        mixed = mixer.blend(carrier, Law.PCMU, 0)
        assert mixed is not None
        assert array("h", decode(mixed, Law.PCMU))[0] == pytest.approx(800, rel=0.05)
