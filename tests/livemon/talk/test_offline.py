from __future__ import annotations

import json
import os
import wave
from pathlib import Path

import numpy as np
import pytest

from livemon.alerts.thresholds import Thresholds
from livemon.errors import InputError
from livemon.talk.offline import Event, analyse, read_events, read_wav
from tests.speechlike import Sound, voice


def record(path: Path, sound: Sound, rate: int = 8000, channels: int = 1, width: int = 2) -> Path:
    samples = np.clip(np.round(sound * 32768), -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(np.repeat(samples, channels).tobytes() if width == 2 else bytes(len(samples)))
    return path


def said(length: float, *spans: tuple[float, float]) -> Sound:
    sound = np.zeros(round(length * 8000))
    for seed, (start, end) in enumerate(spans):
        piece = voice(end - start, seed)
        sound[round(start * 8000) : round(start * 8000) + len(piece)] = piece
    return sound


def test_two_recordings_give_segments_alerts_and_figures(tmp_path: Path) -> None:
    agent = record(tmp_path / "a.wav", said(20, (1.0, 3.0), (12.0, 14.0)))
    customer = record(tmp_path / "c.wav", said(19.5, (3.5, 5.0), (13.0, 15.0)))
    found = analyse(agent, customer)
    assert json.loads(json.dumps(found)) == found
    assert np.allclose(found["agent"], [[1.0, 3.0], [12.0, 14.0]], atol=0.06)
    assert np.allclose(found["customer"], [[3.5, 5.0], [13.0, 15.0]], atol=0.06)
    assert np.allclose(found["dead_air_alerts"], [10.0, 20.0], atol=0.1)
    assert found["metrics"]["overlap_pct"] == pytest.approx(5.0, abs=0.5)
    assert sum(found["metrics"].values()) - 2 * found["metrics"]["overlap_pct"] == pytest.approx(100, abs=0.1)
    assert found["interruptions"] == {"customer": 1}
    assert found["greeting"] == pytest.approx(1.0, abs=0.06)
    assert found["figures"]["dead_air_events"] == 2
    assert found["duration"] == 20.0
    assert {alert["severity"] for alert in found["alerts"]} == {"warn"}


def test_events_explain_silence_and_move_the_answer(tmp_path: Path) -> None:
    agent = record(tmp_path / "a.wav", said(30, (0.5, 1.5), (4.0, 5.0)))
    customer = record(tmp_path / "c.wav", said(30, (5.5, 7.0)))
    path = tmp_path / "events.json"
    lines = [(8, "hold"), (28, "resume"), (0, "ringing"), (3, "answered")]
    path.write_text(json.dumps([{"t": t, "type": name} for t, name in lines]))
    events = read_events(path)
    assert events[0] == Event(0.0, "ringing")
    found = analyse(agent, customer, events, Thresholds(dead_air_warn_ms=2500))
    assert np.allclose(found["agent"], [[4.0, 5.0]], atol=0.06)
    assert found["dead_air_alerts"] == []
    assert found["holds"] == [[8.0, 28.0]]
    assert found["greeting"] == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2)])
def test_other_rates_and_channels(tmp_path: Path, rate: int, channels: int) -> None:
    t = np.arange(rate) / rate
    samples = read_wav(record(tmp_path / "x.wav", 0.5 * np.sin(2 * np.pi * 440 * t), rate, channels))
    assert abs(len(samples) - 8000) <= 1
    spectrum = np.abs(np.fft.rfft(samples[:8000] / 32768.0, 8000))
    assert int(spectrum.argmax()) == 440
    assert samples.dtype == np.int16


def test_bad_recordings_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_wav(tmp_path / "none.wav")
    text = tmp_path / "text.wav"
    text.write_bytes(b"not a wav file at all, but long enough")
    with pytest.raises(InputError, match="not a PCM wav"):
        read_wav(text)
    text.write_bytes(b"RIFF")
    with pytest.raises(InputError, match="not a PCM wav"):
        read_wav(text)
    with pytest.raises(InputError, match="8 bit"):
        read_wav(record(tmp_path / "8.wav", said(0.1), width=1))
    with pytest.raises(InputError, match="1000 Hz"):
        read_wav(record(tmp_path / "slow.wav", said(0.1), rate=1000))


@pytest.mark.parametrize("text", ["", "{}", '[{"t": 1}]', '[{"t": 1, "type": "lunch"}]'])
def test_bad_events_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "events.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"events\.json"):
        read_events(path)
    with pytest.raises(InputError, match="No such file"):
        read_events(tmp_path / "none.json")


def test_an_empty_recording_is_a_call_of_no_length(tmp_path: Path) -> None:
    empty = record(tmp_path / "a.wav", said(0))
    found = analyse(empty, empty)
    assert (found["agent"], found["duration"], found["dead_air_alerts"]) == ([], 0.0, [])


SHARED = os.environ.get("LIVEMON_SHARED")


@pytest.mark.slow
@pytest.mark.skipif(not SHARED, reason="LIVEMON_SHARED is not set: the recordings are not here")
@pytest.mark.parametrize("name", ["synth_01_clean_turns", "synth_03_noisy_customer", "synth_07_dtx_comfort_noise"])
def test_recordings_with_known_truth(name: str) -> None:
    case = Path(str(SHARED)) / "data" / "cases" / name
    truth = json.loads((case / "truth.json").read_text())
    found = analyse(case / "agent.wav", case / "customer.wav")
    planted = [(a, b) for a, b in truth["derived"]["silences_ge_1"] if b - a >= 5.4]
    assert len(found["dead_air_alerts"]) == len(planted)
    for alert, (start, _) in zip(found["dead_air_alerts"], planted, strict=True):
        assert start + 4.0 <= alert <= start + 5.5
