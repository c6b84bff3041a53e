"""What the node says to the talk analysis, and what it hears back.

One analysis serves one bridge: leg ids and every `*_us` are that bridge's own (its CLOCK_MONOTONIC in microseconds),
so that two bridges with the same leg numbers or different clocks never meet. All `*_ms` count from the interaction's
start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from livemon.bus.messages import CallFigures, PartyName, Spurt
from sip_bridge.link.wire import TapPacket, TapRow

Signal = Literal[
    "ringing", "early", "answered", "hold", "resume", "transfer", "transferred", "muted", "unmuted", "music", "ended"
]
Cause = Literal["hold", "music", "ringing", "network", "no_packets", "tap_lost", "agent_muted", "unexplained"]


@dataclass(frozen=True, slots=True)
class SpurtOpened:
    """A party began to speak at `start_ms`; known at most 0.2 s after it happened."""

    call: str
    party: PartyName
    start_ms: int


@dataclass(frozen=True, slots=True)
class SpurtExtended:
    """A party that had paused for less than 0.3 s speaks again: the pause now belongs to the spurt."""

    call: str
    party: PartyName
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SpurtClosed:
    """A spurt is over; `end_ms` is its last frame of speech, without hang-over."""

    call: str
    party: PartyName
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SilenceBegan:
    """Nobody speaks since `start_ms`, or the running silence got another cause at `start_ms`."""

    call: str
    start_ms: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class SilenceEnded:
    """The silence of one cause is over."""

    call: str
    start_ms: int
    end_ms: int
    cause: Cause


TalkEvent = SpurtOpened | SpurtExtended | SpurtClosed | SilenceBegan | SilenceEnded


@dataclass(frozen=True, slots=True)
class CallCondition:
    """What the alert rules look at; a `*_since_ms` of None means: not the case now."""

    now_ms: int
    silence_since_ms: int | None = None
    silence_cause: Cause | Literal[""] = ""
    hold_since_ms: int | None = None
    talkover_since_ms: int | None = None
    talkover_until_ms: int | None = None
    """How far the running talk-over is confirmed."""
    interruptions_ms: tuple[int, ...] = ()
    """When the interruptions of the last 60 s began."""
    ended: bool = False


class TalkAnalysis(Protocol):
    """The talk analysis as the node uses it; `livemon.talk.engine.TalkEngine` is the implementation."""

    def start(self, interaction: str, started_us: int) -> None:
        """Set the zero of the interaction's time line; without it the first signal or packet sets it."""

    def add_leg(self, leg: int, interaction: str, party: PartyName, codecs: Mapping[int, str]) -> None:
        """Begin to measure `leg`; `codecs` maps payload types to names such as PCMU, PCMA, CN, telephone-event.

        Called again for a known leg it changes the codecs, party or interaction and keeps the rest.
        """

    def remove_leg(self, leg: int) -> None:
        """Stop measuring `leg`; what it said stays in its interaction's figures."""

    def packet(self, packet: TapPacket) -> None:
        """Take in one packet; unknown legs are counted and dropped."""

    def packets(self, packets: Iterable[TapPacket]) -> None:
        """Take in packets in the order they came; the cheap way."""

    def rows(self, rows: Iterable[TapRow]) -> None:
        """Take in the bridge's own counters (loss)."""

    def tap_lost(self, leg: int | None, start_us: int, end_us: int) -> None:
        """Tell that the tap, not the network, lost packets of `leg` (None: of every leg) in that time."""

    def signal(self, interaction: str, event: Signal, at_us: int, by: str = "") -> None:
        """Tell what signalling says; `by` is `agent` or `customer` for hold and mute."""

    def step(self, now_us: int) -> None:
        """Advance to `now_us`; due every 20 ms, catches up by itself when called late."""

    def drain(self) -> list[TalkEvent]:
        """Return what happened since the last call, in order."""

    def figures(self, interaction: str) -> CallFigures:
        """Return the interaction's figures as of the last step."""

    def condition(self, interaction: str) -> CallCondition:
        """Return what the alert rules look at, as of the last step."""

    def spurts_since(self, interaction: str, since_ms: int) -> list[Spurt]:
        """Return the spurts that end (or may still grow) after `since_ms`, sorted by start."""

    def forget(self, interaction: str) -> None:
        """Drop an interaction and its legs."""

    def checkpoint(self) -> bytes:
        """Return everything whole-call figures need to continue after a restart (msgpack)."""

    def restore(self, data: bytes) -> bool:
        """Take over a checkpoint before anything else; False if it cannot be read (then nothing changes)."""
