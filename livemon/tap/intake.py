"""The order of a bridge's tap frames: duplicates out, replays in their place, holes named (core).

Listeners get live frames as they come. The analysis gets every frame once and in order: while a replay runs behind
live traffic, live frames wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sip_bridge.link.wire import TapFrame

REPLAY_WAIT_US = 3_000_000
"""Longest wait for a replay: the bridge holds 6 s of frames and sends them in well under one; 3 s is also how long
boards may be stale."""
MAX_HELD = 4096
"""Frames held meanwhile: PACKETS every 2 ms and ROWS every 100 ms are 510 a second, so 8 s of them."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A live frame, for listeners, at once."""

    frame: TapFrame


@dataclass(frozen=True, slots=True)
class Measured:
    """The next frame in order, for the analysis."""

    frame: TapFrame


@dataclass(frozen=True, slots=True)
class TapLost:
    """Frames between these times (microseconds, the bridge's clock) never came."""

    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Position:
    """The newest frame that was taken in, and the bridge's time up to which all is known."""

    epoch: int
    tick: int
    time_us: int


class TapIntake:
    """Feed it the frames of one bridge; drain what listeners and the analysis get."""

    def __init__(self, position: Position | None = None) -> None:
        self.position = position
        self.duplicates = 0
        self.holes = 0
        self._replay_to = -1
        """Newest tick the bridge had when it attached; frames up to it are replay."""
        self._replay_ends_us = 0
        self._held: dict[int, TapFrame] = {}
        """Live frames that wait for the replay, by tick."""
        self._heard = (-1, -1)
        """Epoch and tick of the newest live frame."""
        self._out: list[Heard | Measured | TapLost] = []

    @property
    def replaying(self) -> bool:
        """Whether live frames wait for a replay."""
        return self._replay_to >= 0

    def attached(self, newest_tick: int, now_us: int) -> Position | None:
        """Begin a connection to a bridge that has frames up to `newest_tick`; return what to resume after, if any."""
        self._release(now_us)
        if self.position is not None and newest_tick > self.position.tick:
            self._replay_to = newest_tick
            self._replay_ends_us = now_us + REPLAY_WAIT_US
        return self.position

    def feed(self, frame: TapFrame, now_us: int) -> None:
        """Take in a frame at `now_us` of the bridge's clock."""
        known = self.position
        if known is not None and frame.epoch == known.epoch and frame.tick <= known.tick:
            self.duplicates += 1
            return
        if frame.tick > self._replay_to or (known is not None and frame.epoch != known.epoch):
            self._hear(frame)
        if known is None or frame.epoch != known.epoch:
            self._release(now_us)
            self._accept(frame, now_us)
        elif frame.tick > self._replay_to >= 0 and frame.previous != known.tick:
            self._hold(frame, now_us)
        else:
            self._accept(frame, now_us)
            self._follow(now_us)

    def tick(self, now_us: int) -> None:
        """Stop waiting for a replay that does not come."""
        if self.replaying and now_us >= self._replay_ends_us:
            self._release(now_us)

    def drain(self) -> list[Heard | Measured | TapLost]:
        """Return and forget what came out, in order."""
        out, self._out = self._out, []
        return out

    def _hear(self, frame: TapFrame) -> None:
        if self._heard[0] != frame.epoch or self._heard[1] < frame.tick:
            self._heard = (frame.epoch, frame.tick)
            self._out.append(Heard(frame))

    def _hold(self, frame: TapFrame, now_us: int) -> None:
        self._held[frame.tick] = frame
        if len(self._held) > MAX_HELD:
            self._release(now_us)

    def _follow(self, now_us: int) -> None:
        """Take the held frames that now continue what is known."""
        while self._held:
            tick = min(self._held)
            known = self.position
            if known is not None and tick > known.tick and self._held[tick].previous != known.tick:
                return
            self._accept(self._held.pop(tick), now_us)
        if self.position is not None and self.position.tick >= self._replay_to:
            self._replay_to = -1

    def _release(self, now_us: int) -> None:
        """Stop waiting: what is held comes out with the holes it has."""
        self._replay_to = -1
        held, self._held = self._held, {}
        for tick in sorted(held):
            self._accept(held[tick], now_us)

    def _accept(self, frame: TapFrame, now_us: int) -> None:
        known = self.position
        arrivals = [packet.arrival_us for packet in frame.packets]
        if known is not None and (frame.epoch, frame.previous) != (known.epoch, known.tick):
            self.holes += 1
            end = min(arrivals, default=now_us)
            if end > known.time_us:
                self._out.append(TapLost(known.time_us, end))
        # A frame of rows has no time of its own; live it is now, in a replay the packets around it tell.
        live = frame.tick > self._replay_to
        time_us = max(arrivals, default=now_us if live else 0)
        self.position = Position(frame.epoch, frame.tick, max(time_us, known.time_us if known else 0))
        self._out.append(Measured(frame))
