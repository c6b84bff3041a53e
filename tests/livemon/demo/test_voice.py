from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from livemon.demo.track import RATE, Samples
from livemon.demo.voice import SPEECH_DBFS, TTS_RATE, Voices, levelled, packaged_speaker, pitched, shaped_speaker


def tone(text: str, speed: float) -> npt.NDArray[np.float32]:
    """A tone of 500 Hz for one second at speed 1, as a voice that keeps its pitch whatever its speed."""
    at = np.arange(round(TTS_RATE / speed)) / TTS_RATE
    return (0.3 * np.sin(2 * np.pi * 500 * at)).astype(np.float32)


def peak_hz(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE / len(samples))


@pytest.mark.parametrize("semitones", [-4.0, 0.0, 3.0])
def test_pitch_moves_and_tempo_stays(semitones: float) -> None:
    made = pitched(tone, "x", semitones)
    assert len(made) == pytest.approx(RATE, abs=80)
    assert peak_hz(made) == pytest.approx(500 * 2 ** (semitones / 12), rel=0.01)


def test_the_level_is_the_same_for_every_line() -> None:
    made = levelled(np.sin(np.arange(8000) * 0.3) * 0.001)
    rms = np.sqrt(np.mean(made.astype(np.float64) ** 2)) / 32768
    assert 20 * np.log10(rms) == pytest.approx(SPEECH_DBFS, abs=0.2)


def test_digital_silence_stays_silent() -> None:
    assert not levelled(np.zeros(100)).any()


def test_a_line_is_rendered_once_and_then_read(tmp_path: Path) -> None:
    calls: list[str] = []

    def counting(text: str, speed: float) -> npt.NDArray[np.float32]:
        calls.append(text)
        return tone(text, speed)

    first = Voices(tmp_path / "cache", lambda: counting).render("hello", 2.0)
    again = Voices(tmp_path / "cache", lambda: counting).render("hello", 2.0)
    assert np.array_equal(first, again)
    assert calls == ["hello"]


def test_too_far_a_pitch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="further than"):
        Voices(tmp_path, lambda: tone).render("hello", 4.5)


def test_without_the_package_shaped_sound_stands_in_and_says_so(tmp_path: Path) -> None:
    voices = Voices(tmp_path, lambda: None)
    made = voices.render("a sentence of about thirty-five letters", 0.0)
    assert voices.generated
    assert 1.0 < len(made) / RATE < 5.0


def test_shaped_sound_lasts_as_long_as_the_text() -> None:
    assert len(shaped_speaker("x" * 70, 1.0)) == 2 * len(shaped_speaker("x" * 35, 1.0))


@pytest.mark.slow
def test_the_packaged_voice_speaks() -> None:
    speaker = packaged_speaker()
    assert speaker is not None
    sound = speaker("Good morning, how can I help you?", 1.0)
    assert 1.0 < len(sound) / TTS_RATE < 5.0
    assert float(np.max(np.abs(sound))) > 0.1
