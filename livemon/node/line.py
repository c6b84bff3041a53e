"""Everything the node keeps about one bridge's tap: order, clock and analysis (core)."""

from __future__ import annotations

from typing import assert_never

import msgspec

from livemon.node.port import LinkPort
from livemon.talk.engine import TalkEngine
from livemon.tap.intake import Heard, Measured, Position, TapIntake, TapLost
from livemon.tap.messages import Hello
from livemon.tap.offset import ClockOffset
from sip_bridge.link.wire import TapFrame, TapPacket, TapRow


class KeptLine(msgspec.Struct, frozen=True):
    """What a checkpoint keeps of a bridge."""

    bridge: str
    epoch: int
    tick: int
    time_us: int
    talk: bytes


class BridgeLine:
    """One bridge as the node hears it; local times are microseconds of the node's monotonic clock."""

    def __init__(self, bridge: str) -> None:
        self.bridge = bridge
        self.port = LinkPort()
        self.talk = TalkEngine()
        self.intake = TapIntake()
        self.frames = 0
        self.packets = 0
        self.dropped_by_bridge = 0
        self._offset: ClockOffset | None = None

    @classmethod
    def recall(cls, kept: KeptLine) -> BridgeLine:
        """Continue from a checkpoint; a talk state that cannot be read begins anew."""
        line = cls(kept.bridge)
        if line.talk.restore(kept.talk):
            line.intake = TapIntake(Position(kept.epoch, kept.tick, kept.time_us))
            # The analysis goes on where it stood, so that a replay finds it at the right time.
            line.talk.step(kept.time_us)
        return line

    def keep(self) -> KeptLine | None:
        """Return what a later life of the node continues from, None before the first frame."""
        at = self.intake.position
        if at is None:
            return None
        return KeptLine(self.bridge, at.epoch, at.tick, at.time_us, self.talk.checkpoint())

    def attached(self, hello: Hello, local_us: int) -> int | None:
        """Begin a connection; return the tick to resume after, None for nothing."""
        self._offset = ClockOffset(hello.mono_ns // 1000, local_us)
        position = self.intake.attached(hello.newest_tick, hello.mono_ns // 1000)
        self._measure([])
        return position.tick if position is not None else None

    def anchored(self, mono_ns: int, local_us: int) -> None:
        """Take note of the bridge's clock."""
        if self._offset is not None:
            self._offset.feed(mono_ns // 1000, local_us)

    def now_us(self, local_us: int) -> int:
        """Return the bridge's clock at `local_us`."""
        return self._offset.bridge_us(local_us) if self._offset is not None else local_us

    def frame(self, frame: TapFrame, local_us: int) -> tuple[list[TapPacket], list[TapRow]]:
        """Take in a frame; return what those who listen get: packets of listened legs, and every row."""
        self.frames += 1
        self.packets += len(frame.packets)
        if frame.packets and self._offset is not None and not self.intake.replaying:
            self._offset.feed(frame.packets[-1].arrival_us, local_us)
        self.intake.feed(frame, self.now_us(local_us))
        heard: list[TapFrame] = []
        self._measure(heard)
        listened = self.port.listened
        packets = [packet for live in heard for packet in live.packets if packet.leg in listened]
        return packets, [row for live in heard for row in live.rows]

    def step(self, local_us: int) -> None:
        """Advance the analysis to now, or as far as a replay has come."""
        now_us = self.now_us(local_us)
        self.intake.tick(now_us)
        self._measure([])
        position = self.intake.position
        if self.intake.replaying and position is not None:
            now_us = min(now_us, position.time_us)
        self.talk.step(now_us)
        self.talk.drain()

    def counters(self) -> dict[str, float]:
        """Return what went through, for `/metrics`."""
        figures: dict[str, float] = {f"talk_{name}": float(value) for name, value in self.talk.counters.items()}
        return figures | {
            "tap_frames": float(self.frames),
            "tap_packets": float(self.packets),
            "tap_holes": float(self.intake.holes),
            "tap_duplicates": float(self.intake.duplicates),
            "tap_dropped_by_bridge": float(self.dropped_by_bridge),
        }

    def _measure(self, heard: list[TapFrame]) -> None:
        for item in self.intake.drain():
            match item:
                case Heard(frame):
                    heard.append(frame)
                case Measured(frame):
                    self.talk.packets(frame.packets)
                    self.talk.rows(frame.rows)
                case TapLost(start_us, end_us):
                    self.talk.tap_lost(None, start_us, end_us)
                case _:
                    assert_never(item)
