"""The agent hears the whisper: soon, at its level, whatever the customer's side does, and without lasting lag.

A swept tone is whispered and looked for in what the agent's phone is sent (matched filter): while the customer talks,
is muted, sends comfort noise alone, or holds. After a stall of the supervisor the delay is back within a second.
"""

from __future__ import annotations

from array import array

import numpy as np
import numpy.typing as npt
import pytest

from sip_bridge.media.g711 import Law, decode, encode
from tests.relay_play import AGENT, CUSTOMER, MS, Play

Samples = npt.NDArray[np.float64]
RATE = 8000
SECONDS = 1


def sweep(seconds: float = SECONDS) -> Samples:
    t = np.arange(int(RATE * seconds)) / RATE
    return np.asarray(8000 * np.sin(2 * np.pi * (300 * t + 800 * t * t)))


def customer_talks(play: Play, state: str, index: int) -> None:
    if state == "talking":
        noise = np.random.default_rng(index).normal(0, 800, 160).astype(np.int16)
        play.feed(CUSTOMER, play.customer.packet(encode(noise.tobytes(), Law.PCMU)))
    elif state == "comfort noise":
        if index % 10 == 0:
            play.feed(CUSTOMER, play.customer.packet(b"\x40", payload_type=13))
        play.customer.pause(160)
    else:
        play.customer.pause(160)


def heard(play: Play, start: int) -> Samples:
    """Return what the agent's ear got from `start` ns on, each sample placed when its packet was sent."""
    sent = [one for one in play.ear(AGENT) if one.at >= start and one.rtp.payload_type in (0, 8)]
    out = np.zeros(RATE * 5)
    for one in sent:
        at = round((one.at - start) * RATE / 1e9)
        samples = array("h", decode(one.rtp.payload, Law(one.rtp.payload_type)))
        out[at : at + len(samples)] = samples
    return out


def delay_and_gain(ear: Samples, reference: Samples) -> tuple[float, float]:
    """Return the lag in ms and the amplitude factor at which `reference` stands in `ear`."""
    size = len(ear) + len(reference)
    spectrum = np.fft.rfft(ear, size) * np.conj(np.fft.rfft(reference, size))
    correlation = np.fft.irfft(spectrum, size)[: len(ear) - len(reference) + 1]
    lag = int(np.argmax(np.abs(correlation)))
    return lag / 8, float(correlation[lag] / np.dot(reference, reference))


def whisper_all(play: Play, state: str, phase_ms: int) -> tuple[float, float]:
    reference = sweep()
    pcm = reference.astype(np.int16)
    for index in range(25):
        customer_talks(play, state, index)
        play.wait(20)
    play.wait(phase_ms)
    start = play.now
    due = [(start + 20 * MS * index, "whisper", index) for index in range(50 * SECONDS)]
    due += [(start + 20 * MS * index + (20 - phase_ms) * MS, "customer", index) for index in range(50 * SECONDS + 10)]
    for at, what, index in sorted(due):
        play.wait((at - play.now) / MS)
        if what == "customer":
            customer_talks(play, state, index)
        else:
            if index % 20 == 0:
                play.grant(index + 1)
            play.whisper(pcm[160 * index : 160 * index + 160].tobytes())
    play.wait(200)
    return delay_and_gain(heard(play, start), reference)


@pytest.mark.parametrize("state", ["talking", "muted", "comfort noise", "holding"])
@pytest.mark.parametrize("phase_ms", [1, 7, 13, 19])
def test_the_agent_hears_it_within_20_ms_at_its_level(state: str, phase_ms: int) -> None:
    play = Play()
    if state == "holding":
        play.set(CUSTOMER, recv=False, send=False, held=True)
    delay, gain = whisper_all(play, state, phase_ms)
    assert 0 <= delay <= 20
    assert gain == pytest.approx(1.0, abs=0.05)
    assert play.rows(AGENT) == []


def test_an_agent_who_holds_is_not_whispered_to() -> None:
    play = Play()
    play.set(AGENT, send=False, held=True)
    play.grant(1)
    assert play.events("grant_state")[0]["reason"] == "agent_holds"


@pytest.mark.parametrize("state", ["talking", "muted"])
def test_the_lag_of_a_stall_is_gone_within_a_second(state: str) -> None:
    play = Play()
    pcm = sweep(4).astype(np.int16)
    start = play.now
    for index in range(200):
        customer_talks(play, state, index)
        if index % 20 == 0:
            play.grant(index + 1)
        late = 10 <= index < 14
        for chunk in () if late else range(10, 15) if index == 14 else (index,):
            play.whisper(pcm[160 * chunk : 160 * chunk + 160].tobytes())
        play.wait(20)
    ear = heard(play, start)
    second = slice(160 * 70, 160 * 120)
    window = ear[second.start : second.stop + 800]
    delay, gain = delay_and_gain(window, pcm[second].astype(np.float64))
    assert delay <= 20
    assert gain > 0.9


def test_the_customer_is_lowered_by_9_db_while_the_supervisor_speaks() -> None:
    play = Play()
    tone = (8000 * np.sin(np.arange(160) * 2 * np.pi * 1000 / RATE)).astype(np.int16).tobytes()
    [before] = play.feed(CUSTOMER, play.customer.packet(encode(tone, Law.PCMU)))
    play.grant(1)
    play.whisper(bytes(320))
    [during] = play.feed(CUSTOMER, play.customer.packet(encode(tone, Law.PCMU)))
    levels = [
        np.sqrt(np.mean(np.square(np.frombuffer(decode(one.rtp.payload, Law.PCMU), np.int16), dtype=np.float64)))
        for one in (before, during)
    ]
    assert 20 * np.log10(levels[1] / levels[0]) == pytest.approx(-9, abs=0.2)
