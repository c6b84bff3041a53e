"""One interaction as the analysis knows it: its time line, its legs, and what signalling said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from livemon.bus.messages import PartyName
from livemon.talk.ports import Signal
from livemon.talk.timeline import State, Timeline


class Memory(msgspec.Struct):
    """What a checkpoint saves of one call; us of the bridge's clock."""

    call: str
    start_us: int
    phase: str
    held_by: str
    music_by: str
    muted: bool
    state: State


class Call:
    """The zero of the time line (`start_us`, -1 until known), the phase, and who is audible."""

    def __init__(self, call: str) -> None:
        self.id = call
        self.start_us = -1
        self.phase = "ringing"
        self.held_by = ""
        self.music_by = ""
        self.legs: dict[int, PartyName] = {}
        self.timeline = Timeline(call)
        self.restarted = False
        self.muted = False

    @classmethod
    def recall(cls, memory: Memory) -> Call:
        """Continue a call from a checkpoint; until a packet comes the time since then is `tap_lost`."""
        call = cls(memory.call)
        call.start_us, call.phase = memory.start_us, memory.phase
        call.held_by, call.music_by, call.muted = memory.held_by, memory.music_by, memory.muted
        call.timeline = Timeline(memory.call, memory.state)
        for leg in memory.state.lanes:
            call.timeline.leave(leg)
        memory.state.causes.begin("tap_lost", memory.state.settled, "restart")
        call.restarted = True
        return call

    def memory(self) -> Memory:
        """Return what a checkpoint must save."""
        return Memory(self.id, self.start_us, self.phase, self.held_by, self.music_by, self.muted, self.timeline.state)

    def ms(self, us: int) -> int:
        """Return a bridge time as ms of this interaction; the first time asked for is 0 if none was set."""
        if self.start_us < 0:
            self.start_us = us
        return (us - self.start_us) // 1000

    def audible(self, party: PartyName) -> bool:
        """Say whether sound of `party` can be speech of the call: not while it rings, and not music while held."""
        return self.phase == "talking" and party not in (self.held_by, self.music_by)

    def begun(self, leg: int, at: int) -> None:
        """Note the first packet of `leg` at `at` ms."""
        causes = self.timeline.state.causes
        causes.end("no_packets", at, str(leg))
        if self.restarted:
            causes.end("tap_lost", at, "restart")
            self.restarted = False

    def signal(self, event: Signal, at: int, by: str) -> None:
        """Take in what signalling says happened at `at` ms."""
        if self.phase != "ended":
            _SIGNALS[event](self, at, by)

    def _ringing(self, at: int, by: str) -> None:
        self.phase = "ringing"
        self.timeline.state.causes.begin("ringing", at)

    def _answered(self, at: int, by: str) -> None:
        self.phase = "talking"
        self.timeline.answer(at)
        self.timeline.state.causes.end("ringing", at, "transfer")

    def _hold(self, at: int, by: str) -> None:
        # Without a name it is the agent's: customers have no hold button, and the figures are about agents.
        self.held_by = by or "agent"
        self.timeline.hold(at)

    def _resume(self, at: int, by: str) -> None:
        self.held_by = self.music_by = ""
        self.timeline.resume(at)
        self.timeline.state.causes.end("music", at)

    def _transfer(self, at: int, by: str) -> None:
        self.timeline.state.causes.begin("ringing", at, "transfer")

    def _transferred(self, at: int, by: str) -> None:
        self.timeline.state.causes.end("ringing", at, "transfer")

    def _muted(self, at: int, by: str) -> None:
        if by in ("", "agent"):
            self.timeline.state.causes.begin("agent_muted", at)
            self.muted = True

    def _unmuted(self, at: int, by: str) -> None:
        if by in ("", "agent"):
            self.timeline.state.causes.end("agent_muted", at)
            self.muted = False

    def _music(self, at: int, by: str) -> None:
        self.music_by = by or "agent"
        self.timeline.state.causes.begin("music", at)

    def _ended(self, at: int, by: str) -> None:
        self.phase = "ended"
        self.timeline.end(at)


_SIGNALS: Final[dict[str, Callable[[Call, int, str], None]]] = {
    "ringing": Call._ringing,
    "early": Call._ringing,
    "answered": Call._answered,
    "hold": Call._hold,
    "resume": Call._resume,
    "transfer": Call._transfer,
    "transferred": Call._transferred,
    "muted": Call._muted,
    "unmuted": Call._unmuted,
    "music": Call._music,
    "ended": Call._ended,
}
