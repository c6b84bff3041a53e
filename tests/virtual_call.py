"""A call in virtual time: packets and signals in, what the talk analysis and the alert rules say out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from livemon.alerts.engine import AlertEngine
from livemon.alerts.thresholds import Thresholds
from livemon.bus.messages import AlertView
from livemon.talk.engine import TalkEngine
from livemon.talk.ports import Signal, SilenceBegan, SilenceEnded, TalkEvent
from sip_bridge.link.wire import TapPacket

START_US = 1_000_000
STEP_US = 20_000
CODECS = {0: "PCMU", 8: "PCMA", 13: "CN", 96: "L16", 101: "telephone-event"}


@dataclass
class VirtualCall:
    """One call with an agent leg 1 and a customer leg 2, answered at 0 unless told otherwise."""

    answered: bool = True
    thresholds: Thresholds = field(default_factory=Thresholds)
    call: str = "c"
    engine: TalkEngine = field(default_factory=TalkEngine)
    alerts: AlertEngine = field(default_factory=AlertEngine)
    events: list[TalkEvent] = field(default_factory=list)
    raised: list[tuple[float, AlertView]] = field(default_factory=list)
    """(seconds, alert) in the order they came out."""
    now_us: int = START_US

    def __post_init__(self) -> None:
        self.engine.start(self.call, START_US)
        self.engine.add_leg(1, self.call, "agent", CODECS)
        self.engine.add_leg(2, self.call, "customer", CODECS)
        if self.answered:
            self.engine.signal(self.call, "answered", START_US)

    def play(
        self,
        until: float,
        *streams: Sequence[TapPacket],
        signals: Sequence[tuple[float, Signal, str]] = (),
        lost: Sequence[tuple[int | None, float, float]] = (),
    ) -> None:
        """Run to `until` seconds; `lost` are tap losses (leg, from, to), told when they are over."""
        packets = sorted((p for stream in streams for p in stream), key=lambda p: p.arrival_us)
        pending = sorted(signals, key=lambda signal: signal[0])
        holes = sorted(lost, key=lambda hole: hole[2])
        at = 0
        while self.now_us < START_US + round(until * 1e6):
            self.now_us += STEP_US
            while pending and START_US + pending[0][0] * 1e6 <= self.now_us:
                second, event, by = pending.pop(0)
                self.engine.signal(self.call, event, START_US + round(second * 1e6), by)
            while holes and START_US + holes[0][2] * 1e6 <= self.now_us:
                leg, start, end = holes.pop(0)
                self.engine.tap_lost(leg, START_US + round(start * 1e6), START_US + round(end * 1e6))
            first = at
            while at < len(packets) and packets[at].arrival_us <= self.now_us:
                at += 1
            self.engine.packets(packets[first:at])
            self.engine.step(self.now_us)
            self.events += self.engine.drain()
            now_ms = (self.now_us - START_US) // 1000
            condition = self.engine.condition(self.call)
            for view in self.alerts.feed(self.call, condition, now_ms, self.thresholds):
                self.raised.append((now_ms / 1000, view))

    def spurts(self, party: str) -> list[tuple[float, float]]:
        """Return the spurts of a party in seconds."""
        return [
            (spurt.start_ms / 1000, spurt.end_ms / 1000)
            for spurt in self.engine.spurts_since(self.call, -1)
            if spurt.party == party
        ]

    def condition_cause(self) -> str:
        """Return the cause of the silence that is running, or an empty string."""
        return self.engine.condition(self.call).silence_cause

    def silences(self) -> list[tuple[float, str]]:
        """Return (start in s, cause) of every silence that was announced."""
        return [(e.start_ms / 1000, e.cause) for e in self.events if isinstance(e, SilenceBegan)]

    def ended_silences(self) -> list[tuple[float, float, str]]:
        """Return (start, end, cause) in s of every silence whose end was announced."""
        return [(e.start_ms / 1000, e.end_ms / 1000, e.cause) for e in self.events if isinstance(e, SilenceEnded)]

    def alert_log(self, rule: str) -> list[tuple[float, str, str]]:
        """Return (seconds, severity, state) of the alerts of one rule."""
        return [(at, view.severity, view.state) for at, view in self.raised if view.rule == rule]


def near(found: Sequence[tuple[float, float]], truth: Sequence[tuple[float, float]], within: float) -> bool:
    """Say whether spans match one to one within that many seconds at both ends."""
    return len(found) == len(truth) and all(
        abs(a - c) <= within and abs(b - d) <= within for (a, b), (c, d) in zip(found, truth, strict=True)
    )
