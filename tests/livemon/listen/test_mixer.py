"""The mix of the third slot."""

from __future__ import annotations

import numpy as np

from livemon.listen.mixer import FRAME, OthersMixer
from tests.listening import from_ulaw, peak_hz, tone


def test_two_sources_are_added() -> None:
    mixer = OthersMixer()
    heard = []
    for n in range(20):
        mixer.feed("a", tone(500, n * FRAME))
        mixer.feed("b", tone(1500, n * FRAME))
        heard.append(from_ulaw(mixer.tick()))
    spectrum = np.abs(np.fft.rfft(np.concatenate(heard)))
    assert set(np.argsort(spectrum)[-2:] * 8000 // (20 * FRAME)) == {500, 1500}


def test_time_goes_on_in_silence_and_numbers_do_not() -> None:
    mixer = OthersMixer()
    assert mixer.idle
    assert mixer.tick() == b""
    assert (mixer.timestamp, mixer.seq) == (160, 0)
    mixer.feed("a", bytes(100))
    assert not mixer.idle
    assert len(mixer.tick()) == FRAME
    assert (mixer.timestamp, mixer.seq) == (320, 1)
    assert mixer.idle


def test_old_samples_of_a_burst_are_dropped() -> None:
    mixer = OthersMixer()
    for n in range(20):
        mixer.feed("a", tone(500 if n < 17 else 1000, n * FRAME))
    heard = []
    while not mixer.idle:
        heard.append(from_ulaw(mixer.tick()))
    assert len(heard) == 3
    assert abs(peak_hz(np.concatenate(heard), 8000)[0] - 1000) < 20


def test_a_source_that_left_is_silent() -> None:
    mixer = OthersMixer()
    mixer.feed("a", bytes(FRAME))
    mixer.drop("a")
    mixer.drop("b")
    assert mixer.idle
