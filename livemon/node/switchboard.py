"""Joins the links of bridges with the call book, the analysis, the alerts and what is published (core).

Every method returns at once; what is to leave the node waits in `publisher`. Local times are microseconds of the
node's monotonic clock, `now_ms` is UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec

from livemon.alerts.engine import AlertEngine
from livemon.alerts.thresholds import Thresholds
from livemon.bus.messages import AlertView, CallFigures, Directory, Mode, NodeUpdate, SessionState, Spurt
from livemon.calls.book import CallBook
from livemon.calls.directory import AgentIndex
from livemon.calls.events import CallChanged, CallEvent, CallGone, CallStarted, LegAdded, LegRemoved, Signalled
from livemon.node.checkpoint import VERSION, Checkpoint
from livemon.node.line import BridgeLine
from livemon.node.port import LinkPort, Sender
from livemon.node.ports import Listening, Trail
from livemon.node.publisher import Publisher
from livemon.tap import messages
from livemon.tap.messages import Anchor, Announced, Dropped, FromBridge, GrantState, Hello, Origin, Proof, Segment
from sip_bridge.link.wire import TapFrame

SPURT_SLACK_MS = 2000
"""How far back an update tells spurts again: analysis lags by a jitter buffer and bridges pauses of 0.3 s after the
fact, and an update may have been lost."""
SNAPSHOT_SPURTS_MS = 70_000
"""How much of the time line a snapshot holds: the lanes of a page show the last minute."""


class Switchboard:
    """One node without its sockets."""

    def __init__(self, node: str, directory: Directory, trail: Trail) -> None:
        self.node = node
        self.publisher = Publisher(node)
        self.book = CallBook(node, directory)
        self.ports: dict[str, LinkPort] = {}
        self.lines: dict[str, BridgeLine] = {}
        self.listening: Listening | None = None
        """Set by the shell; None while nobody can listen."""
        self._index = AgentIndex(directory)
        self._alerts = AlertEngine()
        self._proofs: dict[str, AlertView] = {}
        self._trail = trail
        self._sessions: dict[str, tuple[str, Mode]] = {}
        self._links: dict[str, Sender] = {}
        self._settling = False
        self.awaited: set[str] = set()
        """Bridges an earlier life of this node knew, which have not named their calls yet."""

    # Links.

    def attached(self, link: Sender, hello: Hello, local_us: int, now_ms: int) -> None:
        """Take in a bridge's `hello` and answer it."""
        line = self.lines.get(hello.bridge)
        if line is None:
            line = BridgeLine(hello.bridge)
            self._take(line)
        self._links[hello.bridge] = link
        link.send(messages.welcome(self.node, line.attached(hello, local_us)))
        line.port.attach(link)
        self.book.attach(hello.bridge, hello.mono_ns, hello.utc_ms, local_us / 1e6)
        self._settle(now_ms)

    def detached(self, bridge: str, link: Sender, local_us: int, now_ms: int) -> None:
        """Take note of the end of a link, unless a newer one has taken its place."""
        if self.lines[bridge].port.detach(link):
            del self._links[bridge]
            self.book.detach(bridge, local_us / 1e6)
            self._settle(now_ms)

    def current(self, bridge: str) -> Sender | None:
        """Return the link that carries a bridge now."""
        return self._links.get(bridge)

    def message(self, bridge: str, message: FromBridge, local_us: int, now_ms: int) -> None:
        """Take in what a bridge says after its `hello`."""
        now = local_us / 1e6
        match message:
            case Segment():
                self.book.announce(bridge, message, now)
            case Announced():
                self.book.announced(bridge, now)
                self.awaited.discard(bridge)
            case Anchor(mono_ns, utc_ms):
                self.book.anchor(bridge, mono_ns, utc_ms, now)
                self.lines[bridge].anchored(mono_ns, local_us)
            case Origin():
                self._origin(bridge, message)
            case Proof():
                self._proof(bridge, message, now_ms)
            case GrantState():
                if self.listening is not None:
                    self.listening.on_grant_state(message.session, message.state, message.reason)
            case Dropped(frames, _):
                self.lines[bridge].dropped_by_bridge += frames
            case Hello():
                pass  # a link says it once, and says it through `attached`
            case _:
                assert_never(message)
        self._settle(now_ms)

    def frame(self, bridge: str, frame: TapFrame, local_us: int) -> None:
        """Take in a tap frame: listeners first, then the analysis."""
        packets, rows = self.lines[bridge].frame(frame, local_us)
        if self.listening is None:
            return
        for packet in packets:
            self.listening.on_packet(packet, bridge)
        for row in rows:
            self.listening.on_row(row, bridge)

    # Time.

    def step(self, local_us: int) -> None:
        """Advance the analysis; due every 20 ms."""
        for line in self.lines.values():
            line.step(local_us)

    def judge(self, local_us: int, now_ms: int) -> None:
        """Let calls go that are over, and judge the alert rules; due ten times a second."""
        self.book.tick(local_us / 1e6)
        self._settle(now_ms)
        for call in self.book:
            talk = self.lines[call.bridge].talk
            queue = self._index.queue(call.view.queue) if call.view else None
            for alert in self._alerts.feed(call.id, talk.condition(call.id), now_ms, Thresholds.for_queue(queue)):
                self.publisher.alert(alert)

    # What others ask and say.

    def directory(self, directory: Directory, now_ms: int) -> None:
        """Replace the agent directory."""
        self._index = AgentIndex(directory)
        self.book.directory(directory)
        self._settle(now_ms)

    def session(self, state: SessionState, now_ms: int) -> None:
        """Take note of a listening session: views say how many listen, and how."""
        before = self._sessions.pop(state.session, None)
        if state.state == "connected":
            self._sessions[state.session] = (state.call, state.mode)
        if before != self._sessions.get(state.session):
            for call in {state.call, before[0] if before else state.call}:
                modes = [mode for where, mode in self._sessions.values() if where == call]
                self.book.listening(call, len(modes), tuple(sorted(set(modes))))
            self._settle(now_ms)

    @property
    def sessions(self) -> int:
        """How many listening sessions are connected."""
        return len(self._sessions)

    def counters(self) -> dict[str, float]:
        """Return figures for `/metrics`, summed over all bridges."""
        total: dict[str, float] = {"alerts_active": float(len(self._alerts.alerts()) + len(self._proofs))}
        for line in self.lines.values():
            for name, value in line.counters().items():
                total[name] = total.get(name, 0.0) + value
        return total

    def second(self, now_ms: int) -> NodeUpdate:
        """Return the update of this second."""
        since = SPURT_SLACK_MS + 1000
        return self.publisher.update(now_ms, self._figures(), self._spurts(now_ms, since))

    def snapshot(self, now_ms: int) -> NodeUpdate:
        """Return the complete state."""
        alerts = [*self._alerts.alerts(), *self._proofs.values()]
        spurts = self._spurts(now_ms, SNAPSHOT_SPURTS_MS)
        return self.publisher.snapshot(now_ms, self.book.views(), self._figures(), spurts, alerts)

    # Checkpoints.

    def keep(self, now_ms: int) -> Checkpoint:
        """Return what a later life of this node continues from."""
        lines = tuple(kept for line in self.lines.values() if (kept := line.keep()) is not None)
        return Checkpoint(VERSION, self.node, now_ms, lines, tuple(self.book.keep()))

    def recall(self, kept: Checkpoint) -> None:
        """Continue from a checkpoint, before anything else; bridges then name the calls again."""
        for one in kept.lines:
            self._take(BridgeLine.recall(one))
        self.book.recall(list(kept.calls))
        self.awaited = {line.bridge for line in kept.lines} | {call.bridge for call in kept.calls}

    # Inside.

    def _take(self, line: BridgeLine) -> None:
        self.lines[line.bridge] = line
        self.ports[line.bridge] = line.port

    def _settle(self, now_ms: int) -> None:
        """Pass on what the call book says until it says nothing more."""
        if self._settling:
            return  # the listening service answered an event with a new one; the loop below will come to it
        self._settling = True
        try:
            while events := self.book.drain():
                for event in events:
                    self._pass_on(event, now_ms)
        finally:
            self._settling = False

    def _pass_on(self, event: CallEvent, now_ms: int) -> None:
        match event:
            case CallStarted(bridge, call, started_us):
                self.lines[bridge].talk.start(call, started_us)
            case LegAdded(bridge, leg, call, party, codecs):
                self.lines[bridge].talk.add_leg(leg, call, party, codecs)
            case LegRemoved(bridge, leg):
                self.lines[bridge].talk.remove_leg(leg)
            case Signalled(bridge, call, name, at_us, by):
                self.lines[bridge].talk.signal(call, name, at_us, by)
            case CallChanged(view):
                self.publisher.changed(view)
                self._tell(view.id)
            case CallGone(bridge, call):
                self._gone(bridge, call, now_ms)
            case _:
                assert_never(event)

    def _gone(self, bridge: str, call: str, now_ms: int) -> None:
        for alert in self._alerts.forget(call, now_ms):
            self.publisher.alert(alert)
        if (proof := self._proofs.pop(call, None)) is not None:
            self.publisher.alert(_cleared(proof, now_ms))
        self.lines[bridge].talk.forget(call)
        self.publisher.gone(call)
        self._tell(call)

    def _tell(self, call: str) -> None:
        if self.listening is not None:
            self.listening.on_call(call)

    def _origin(self, bridge: str, origin: Origin) -> None:
        self._trail.note(
            "call.origin",
            {
                "bridge": bridge,
                "segment": origin.segment,
                "call": self.book.find(bridge, origin.segment),
                "leg": origin.leg,
                "origin": origin.origin,
                "start_ns": origin.start_ns,
                "end_ns": origin.end_ns,
                "grant": origin.session,
            },
        )

    def _proof(self, bridge: str, proof: Proof, now_ms: int) -> None:
        call = self.book.find(bridge, proof.segment)
        self._trail.note(
            "call.proof_failed",
            {"bridge": bridge, "segment": proof.segment, "call": call, "leg": proof.leg, "count": proof.mismatches},
        )
        self.book.proof(bridge, proof.segment, proof.mismatches)
        if call is not None and call not in self._proofs:
            alert = AlertView(f"{call}:proof", call, "proof", "critical", "raised", now_ms, now_ms, 0)
            self._proofs[call] = alert
            self.publisher.alert(alert)

    def _figures(self) -> list[CallFigures]:
        return [self.lines[call.bridge].talk.figures(call.id) for call in self.book]

    def _spurts(self, now_ms: int, back_ms: int) -> Iterable[Spurt]:
        out: list[Spurt] = []
        for call in self.book:
            since = max(0, now_ms - call.started_at_ms - back_ms)
            out += self.lines[call.bridge].talk.spurts_since(call.id, since)
        return out


def _cleared(alert: AlertView, now_ms: int) -> AlertView:
    return msgspec.structs.replace(alert, state="cleared", cleared_at_ms=now_ms)
