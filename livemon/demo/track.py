"""Lay the lines of a script on one time line: a track of samples for each party, and the signalled events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, assert_never

import numpy as np
import numpy.typing as npt

from livemon.demo.script import Hold, Say, Script, Silence, Who

RATE = 8000
"""Samples a second: G.711."""
Samples = npt.NDArray[np.int16]
Render = Callable[[Who, str], Samples]
"""Gives the samples of a text in a party's voice: int16, mono, 8000 Hz."""

# A line's comfort noise, about -66 dBFS: real phones are never digitally silent.
ROOM_RMS = 16.0


@dataclass(frozen=True, slots=True)
class Cue:
    """A signalled event at sample `at`."""

    at: int
    kind: Literal["hold", "resume"]


@dataclass(slots=True)
class Conversation:
    """What both parties send: two tracks of equal length, and cues in order."""

    script: Script
    agent: Samples
    customer: Samples
    cues: list[Cue] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Length in s."""
        return len(self.agent) / RATE


def lay_out(script: Script, render: Render, seed: int) -> Conversation:
    """Return the conversation of `script`; the same seed gives the same samples."""
    placed: list[tuple[Who, int, Samples]] = []
    cues: list[Cue] = []
    # `end` is the end of the latest line, `last` the end of everything so far.
    end = last = 0
    for _ in range(script.repeat):
        for line in script.lines:
            match line:
                case Say():
                    samples = render(line.who, line.text)
                    start = max(0, end + round(line.after * RATE))
                    placed.append((line.who, start, samples))
                    end = start + len(samples)
                    last = max(last, end)
                case Silence():
                    end = last = last + round(line.seconds * RATE)
                case Hold():
                    cues.append(Cue(last, "hold"))
                    end = last = last + round(line.seconds * RATE)
                    cues.append(Cue(last, "resume"))
                case _:
                    assert_never(line)
    noise = np.random.default_rng(seed)
    tracks = {who: _room(noise, last) for who in ("agent", "customer")}
    for who, start, samples in placed:
        _add(tracks[who], start, samples)
    return Conversation(script, tracks["agent"], tracks["customer"], cues)


def _room(noise: np.random.Generator, length: int) -> Samples:
    return np.round(noise.normal(0.0, ROOM_RMS, length)).astype(np.int16)


def _add(track: Samples, start: int, samples: Samples) -> None:
    window = slice(start, start + len(samples))
    mixed = track[window].astype(np.int32) + samples[: len(track) - start]
    track[window] = np.clip(mixed, -32768, 32767).astype(np.int16)
