"""The live analysis on two recordings: what `livemon analyse` does.

Each file becomes a leg of one call; 20 ms packets go through the same engine and alert rules as on the line, at
virtual speed, and the alerts carry the time at which they would have fired.
"""

from __future__ import annotations

import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import soxr
from numpy.typing import NDArray

from livemon.alerts.engine import AlertEngine
from livemon.alerts.thresholds import Thresholds
from livemon.errors import InputError
from livemon.talk.engine import STEP_US, TalkEngine
from livemon.talk.ledger import HEARD, Ledger
from livemon.talk.ports import Signal
from livemon.talk.report import reply_times, talk_shares
from livemon.talk.timeline import State
from sip_bridge.link.wire import TapPacket

RATE: Final = 8000
FRAME: Final = 160
AGENT_LEG: Final = 1
CUSTOMER_LEG: Final = 2
CALL: Final = "recording"
PAYLOAD_TYPE: Final = 96
START_US: Final = 1_000_000
"""Where the recording begins on the engine's clock; any value does."""
MIN_RATE, MAX_RATE = 4000, 192_000


class Event(msgspec.Struct, frozen=True):
    """One line of `--events`: seconds from the start of the recordings, what happened, and by whom."""

    t: float
    type: Signal
    by: str = ""


def read_events(path: Path) -> list[Event]:
    """Read a JSON list of `{"t": seconds, "type": "hold", "by": "agent"}`."""
    try:
        return sorted(msgspec.json.decode(path.read_bytes(), type=list[Event]), key=lambda event: event.t)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: {error}") from error


def read_wav(path: Path) -> NDArray[np.int16]:
    """Return a recording as 8000 Hz 16-bit samples; several channels are averaged, other rates resampled."""
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (wave.Error, EOFError) as error:
        raise InputError(f"{path}: not a PCM wav file ({str(error) or 'it ends in its header'})") from error
    if width != 2:
        raise InputError(f"{path}: {width * 8} bit samples; 16 are needed (ffmpeg -i in.wav -c:a pcm_s16le out.wav)")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise InputError(f"{path}: a rate of {rate} Hz")
    samples = np.frombuffer(data[: len(data) // (2 * channels) * 2 * channels], "<i2").reshape(-1, channels)
    mono = samples[:, 0] if channels == 1 else samples.mean(axis=1).astype(np.int16)
    if rate != RATE and len(mono):
        return np.asarray(soxr.resample(mono, rate, RATE), dtype=np.int16)
    return mono.astype(np.int16)


def analyse(
    agent_wav: Path,
    customer_wav: Path,
    events: Sequence[Event] = (),
    thresholds: Thresholds | None = None,
) -> dict[str, Any]:
    """Return what the live analysis finds in two recordings that share one clock, as JSON-ready values.

    Times are in seconds from the start of the recordings. Without an `answered` or `ringing` event the call counts
    as answered at 0.
    """
    agent, customer = read_wav(agent_wav), read_wav(customer_wav)
    length = max(len(agent), len(customer))
    run = _Run(events, thresholds or Thresholds())
    run.play((_frames(agent, length), _frames(customer, length)))
    return run.result(length / RATE)


def _frames(samples: NDArray[np.int16], length: int) -> Iterator[bytes]:
    whole = np.zeros(-(-length // FRAME) * FRAME, ">i2")
    whole[: len(samples)] = samples
    for at in range(0, len(whole), FRAME):
        yield whole[at : at + FRAME].tobytes()


class _Run:
    """One recording going through the engine."""

    def __init__(self, events: Sequence[Event], thresholds: Thresholds) -> None:
        self.engine = TalkEngine()
        self.alerts = AlertEngine()
        self.thresholds = thresholds
        self.fired: list[dict[str, Any]] = []
        self.events = list(events)
        if not any(event.type in ("answered", "ringing", "early") for event in events):
            self.events.insert(0, Event(0.0, "answered"))
        self.engine.start(CALL, START_US)
        for leg, party in ((AGENT_LEG, "agent"), (CUSTOMER_LEG, "customer")):
            self.engine.add_leg(leg, CALL, party, {PAYLOAD_TYPE: "L16"})  # type: ignore[arg-type]

    def play(self, legs: tuple[Iterable[bytes], Iterable[bytes]]) -> None:
        """Feed both legs 20 ms at a time, then let the reader catch up."""
        now = START_US
        for seq, payloads in enumerate(zip(*legs, strict=True)):
            now += STEP_US
            self._signals(now)
            for leg, payload in zip((AGENT_LEG, CUSTOMER_LEG), payloads, strict=True):
                self.engine.packet(
                    TapPacket(leg, seq & 0xFFFF, PAYLOAD_TYPE, False, 0, seq * FRAME & 0xFFFFFFFF, now, payload)
                )
            self._step(now)
        self.end = now
        # 0.6 s: the reader's delay and the longest time a spurt stays open.
        for later in range(now + STEP_US, now + 600_000, STEP_US):
            self.engine.step(later)
        self.engine.signal(CALL, "ended", self.end)

    def _signals(self, now: int) -> None:
        while self.events and START_US + self.events[0].t * 1e6 < now:
            event = self.events.pop(0)
            self.engine.signal(CALL, event.type, START_US + int(event.t * 1e6), event.by)

    def _step(self, now: int) -> None:
        self.engine.step(now)
        condition = self.engine.condition(CALL)
        for view in self.alerts.feed(CALL, condition, (now - START_US) // 1000, self.thresholds):
            if view.state == "raised":
                self.fired.append(
                    {
                        "t": condition.now_ms / 1000,
                        "rule": view.rule,
                        "severity": view.severity,
                        "since": view.since_ms / 1000,
                    }
                )

    def result(self, duration: float) -> dict[str, Any]:
        """Return everything that was found."""
        figures = self.engine.figures(CALL)
        state = self.engine.state(CALL)
        segments = {"agent": [], "customer": []}  # type: dict[str, list[list[float]]]
        for spurt in self.engine.spurts_since(CALL, -1):
            segments[spurt.party].append([spurt.start_ms / 1000, min(spurt.end_ms / 1000, duration)])
        first = [alert for alert in self.fired if alert["rule"] == "dead_air" and alert["severity"] == "warn"]
        return {
            "duration": duration,
            **segments,
            "dead_air_alerts": [alert["t"] for alert in first],
            "alerts": self.fired,
            "metrics": _metrics(state.ledger, duration),
            **_marks(state),
            "figures": {name: getattr(figures, name) for name in figures.__struct_fields__ if name != "id"},
        }


def _metrics(ledger: Ledger, duration: float) -> dict[str, float]:
    whole = max(duration, 1e-9) * 10  # ms -> percent
    heard = sum(ledger.silent_ms.get(cause, 0) for cause in HEARD)
    return {
        "agent_talk_pct": ledger.agent_ms / whole,
        "customer_talk_pct": ledger.customer_ms / whole,
        "overlap_pct": ledger.overlap_ms / whole,
        "silence_pct": heard / whole,
    }


def _marks(state: State) -> Mapping[str, Any]:
    ledger = state.ledger
    return {
        "silences": [[a / 1000, b / 1000, cause] for a, b, cause in ledger.silences],
        "overlaps": [[a / 1000, b / 1000, by] for a, b, by in ledger.overlaps],
        "holds": [[a / 1000, b / 1000] for a, b in state.holds],
        "interruptions": ledger.interruptions,
        "backchannels": ledger.backchannels,
        "greeting": ledger.greeting_ms / 1000 if ledger.greeting_ms >= 0 else None,
        "talk_shares": talk_shares(ledger),
        "hold_count": len(state.holds),
        "reply_times": reply_times(ledger),
        "silence_by_cause": {cause: length / 1000 for cause, length in ledger.silent_ms.items()},
        "longest_monologue": {party: length / 1000 for party, length in ledger.longest_monologue_ms.items()},
    }
