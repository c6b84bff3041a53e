"""The call book: segments as bridges announce them become interactions that people can look at (core)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import msgspec

from livemon.bus.messages import CallView, Directory, Mode
from livemon.calls.directory import AgentIndex, address_forms
from livemon.calls.events import CallChanged, CallEvent, CallGone, CallStarted, LegAdded, LegRemoved, Signalled
from livemon.calls.interaction import Interaction, leg_codecs, make_view, refusals
from livemon.calls.signals import Before, signals
from livemon.tap.messages import Leg, Segment

LINGER = 5.0
"""Seconds an ended call stays on the boards, so that a hang-up is seen as one and not as a vanishing row."""
AWAY = 60.0
"""Seconds the calls of a bridge that went away are kept: its control comes back within 3 s, a reboot takes longer
and loses its calls anyway."""


@dataclass(slots=True)
class _Bridge:
    mono_ns: int
    utc_ms: int
    anchored_at: float
    """The book's clock (seconds) at `mono_ns`."""
    attached: bool = True
    away_since: float = 0.0
    unnamed: set[str] = field(default_factory=set)
    """Segments this node holds that the bridge has not announced again yet."""

    def epoch_ms(self, at_ns: int) -> int:
        return self.utc_ms + (at_ns - self.mono_ns) // 1_000_000

    def mono_at(self, now: float) -> int:
        return self.mono_ns + int((now - self.anchored_at) * 1e9)


class KeptCall(msgspec.Struct, frozen=True):
    """What a checkpoint keeps of an interaction: what its live segments alone can no longer tell."""

    id: str
    bridge: str
    started_ns: int
    started_at_ms: int
    answered_at_ms: int | None
    proof_failures: int
    signalled: Before
    signalled_hold: str


class CallBook:
    """Every interaction of one node; drain `CallEvent`s after each call."""

    def __init__(self, node: str, directory: Directory | None = None) -> None:
        self._node = node
        self._index = AgentIndex(directory) if directory else AgentIndex()
        self._bridges: dict[str, _Bridge] = {}
        self._calls: dict[str, Interaction] = {}
        self._owner: dict[tuple[str, str], str] = {}
        """(bridge, segment) -> interaction."""
        self._lines: dict[str, set[tuple[str, str]]] = {}
        """Agent -> open segments."""
        self._agent_of: dict[tuple[str, str], str] = {}
        """Open segment -> agent; the other direction of `_lines`."""
        self._kept: dict[str, KeptCall] = {}
        self._out: list[CallEvent] = []

    def drain(self) -> list[CallEvent]:
        """Return and forget what happened, in order."""
        out, self._out = self._out, []
        return out

    def views(self) -> list[CallView]:
        """Return every interaction as it is now."""
        return [call.view for call in self._calls.values() if call.view is not None]

    def get(self, call: str) -> Interaction | None:
        """Return one interaction."""
        return self._calls.get(call)

    def find(self, bridge: str, segment: str) -> str | None:
        """Return the interaction a segment belongs to."""
        return self._owner.get((bridge, segment))

    def __iter__(self) -> Iterator[Interaction]:
        return iter(list(self._calls.values()))

    def __len__(self) -> int:
        return len(self._calls)

    # What bridges say.

    def attach(self, bridge: str, mono_ns: int, utc_ms: int, now: float) -> None:
        """Take note of a bridge's `hello`: everything held of it has to be announced again."""
        known = self._bridges[bridge] = _Bridge(mono_ns, utc_ms, now)
        known.unnamed = {segment for owner, segment in self._owner if owner == bridge}
        self._refresh_bridge(bridge)

    def anchor(self, bridge: str, mono_ns: int, utc_ms: int, now: float) -> None:
        """Take note of the bridge's two clocks; calls that have begun keep the time they began at."""
        known = self._bridges[bridge]
        known.mono_ns, known.utc_ms, known.anchored_at = mono_ns, utc_ms, now

    def announce(self, bridge: str, segment: Segment, now: float) -> None:
        """Take in the whole state of a segment at `now` (seconds): the newest one wins."""
        self._bridges[bridge].unnamed.discard(segment.id)
        other = self._calls.get(segment.interaction)
        if other is not None and other.bridge != bridge:
            # A call that passes two bridges has two clocks, which cannot share one time line: two interactions.
            segment = msgspec.structs.replace(segment, interaction=f"{segment.interaction}.{bridge}")
        key = (bridge, segment.id)
        old_owner = self._owner.get(key)
        call = self._calls.get(segment.interaction)
        if call is None:
            if segment.state == "ended" and old_owner is None:
                return  # ended before we ever saw it: nothing to show
            call = self._begin(bridge, segment)
        old = call.segments.get(segment.id)
        call.segments[segment.id] = segment
        self._owner[key] = call.id
        self._diff_legs(bridge, call.id, old, segment, moved=old_owner != call.id)
        self._settle(call, now)
        self._count_line(key, segment)
        if old_owner is not None and old_owner != call.id:
            self._part(segment.id, self._calls[old_owner], now)

    def announced(self, bridge: str, now: float) -> None:
        """Take note that a bridge has named every live segment: the others have ended."""
        unnamed, self._bridges[bridge].unnamed = self._bridges[bridge].unnamed, set()
        self._kept = {id_: call for id_, call in self._kept.items() if call.bridge != bridge}
        self._end(bridge, unnamed, now)

    def detach(self, bridge: str, now: float) -> None:
        """Take note that the link to a bridge is gone; its calls go on, but nothing can be asked of it."""
        self._bridges[bridge].attached = False
        self._bridges[bridge].away_since = now
        self._refresh_bridge(bridge)

    def proof(self, bridge: str, segment: str, mismatches: int) -> None:
        """Add run-time proof failures to the interaction of `segment`."""
        if (owner := self._owner.get((bridge, segment))) is not None:
            self._calls[owner].proof_failures += mismatches
            self._refresh(self._calls[owner])

    # What the rest of the node says.

    def directory(self, directory: Directory) -> None:
        """Replace the agent directory; calls get their names, teams and line counts anew."""
        self._index = AgentIndex(directory)
        for key, owner in self._owner.items():
            self._count_line(key, self._calls[owner].segments[key[1]])
        for call in self._calls.values():
            self._refresh(call)

    def listening(self, call: str, listeners: int, modes: tuple[Mode, ...]) -> None:
        """Take note of how many supervisors are in an interaction, and in which modes."""
        if (found := self._calls.get(call)) is not None:
            found.listeners, found.modes = listeners, modes
            self._refresh(found)

    def tick(self, now: float) -> None:
        """Let ended calls go, and the calls of bridges that stay away."""
        for name, bridge in self._bridges.items():
            if not bridge.attached and now - bridge.away_since >= AWAY:
                self._end(name, {id_ for owner, id_ in self._owner if owner == name}, now)
        for call in list(self._calls.values()):
            if call.ended_at is not None and now - call.ended_at >= LINGER:
                self._drop(call)

    # Checkpoints.

    def keep(self) -> list[KeptCall]:
        """Return what a later life of this node has to know of the calls that are on."""
        return [
            KeptCall(
                call.id,
                call.bridge,
                call.started_ns,
                call.started_at_ms,
                call.answered_at_ms,
                call.proof_failures,
                call.signalled,
                call.signalled_hold,
            )
            for call in self._calls.values()
            if call.alive
        ] + list(self._kept.values())

    def recall(self, kept: list[KeptCall]) -> None:
        """Take over a checkpoint, before anything else; used when a bridge names these interactions again."""
        self._kept = {call.id: call for call in kept}

    # Inside.

    def _begin(self, bridge: str, segment: Segment) -> Interaction:
        kept = self._kept.pop(segment.interaction, None)
        if kept is not None and kept.bridge == bridge:
            call = Interaction(
                kept.id,
                bridge,
                kept.started_ns,
                kept.started_at_ms,
                kept.answered_at_ms,
                proof_failures=kept.proof_failures,
                signalled=kept.signalled,
                signalled_hold=kept.signalled_hold,
            )
        else:
            started_at = self._bridges[bridge].epoch_ms(segment.started_ns)
            call = Interaction(segment.interaction, bridge, segment.started_ns, started_at)
        self._calls[call.id] = call
        self._out.append(CallStarted(bridge, call.id, call.started_ns // 1000))
        return call

    def _settle(self, call: Interaction, now: float) -> None:
        """Bring the sticky members, the signals and the view of a call up to its segments."""
        call.ended_at = None if call.alive else call.ended_at if call.ended_at is not None else now
        if call.answered_at_ms is None:
            answered = [segment.answered_ns for segment in call.segments.values() if segment.answered_ns is not None]
            if answered:
                call.answered_at_ms = self._bridges[call.bridge].epoch_ms(min(answered))
        self._signal(call)
        self._refresh(call)

    def _signal(self, call: Interaction) -> None:
        segment = call.chosen
        assert segment is not None, "settled without a segment"
        for name in signals(call.signalled, call.signalled_hold, segment.state, segment.hold_by):
            at_ns = segment.state_since_ns
            if name in ("answered", "transferred") and segment.answered_ns is not None:
                at_ns = segment.answered_ns
            self._out.append(Signalled(call.bridge, call.id, name, at_ns // 1000, segment.hold_by))
        call.signalled, call.signalled_hold = segment.state, segment.hold_by

    def _refresh(self, call: Interaction) -> None:
        segment = call.chosen
        assert segment is not None, "held without a segment"
        bridge = self._bridges[call.bridge]
        lines = len(self._lines.get(self._agent_key(segment), ()))
        # After a `hello` a segment is there again once it has been announced again, not before.
        there = bridge.attached and segment.id not in bridge.unnamed
        refused = refusals(segment, there, lines)
        since = bridge.epoch_ms(segment.state_since_ns)
        if call.view is not None and call.view.state == segment.state and call.view.segment == segment.id:
            # An anchor that moved a little must not make every view of the node look changed.
            since = call.view.state_since_ms if abs(since - call.view.state_since_ms) < 1000 else since
        view = make_view(self._node, call, self._index, refused, since)
        if view != call.view:
            call.view = view
            self._out.append(CallChanged(view))

    def _refresh_bridge(self, bridge: str) -> None:
        for call in self._calls.values():
            if call.bridge == bridge:
                self._refresh(call)

    def _agent_key(self, segment: Segment) -> str:
        """Return who the agent is for counting lines: an agent outside the directory counts by the address."""
        if (agent := self._index.match(segment.identity.agent)) is not None:
            return f"id:{agent.id}"
        forms = next((forms for value in segment.identity.agent if (forms := address_forms(value))), ())
        return f"address:{forms[-1]}" if forms else ""

    def _count_line(self, key: tuple[str, str], segment: Segment) -> None:
        """Move a segment to the agent whose line it is now, and refresh the calls of both agents concerned."""
        after = self._agent_key(segment) if segment.state != "ended" else ""
        before = self._agent_of.pop(key, "")
        if after:
            self._agent_of[key] = after
        if after == before:
            return
        if before:
            self._lines[before].discard(key)
            self._refresh_agent(before)
        if after:
            self._lines.setdefault(after, set()).add(key)
            self._refresh_agent(after)

    def _refresh_agent(self, agent: str) -> None:
        for line in self._lines[agent]:
            self._refresh(self._calls[self._owner[line]])
        if not self._lines[agent]:
            del self._lines[agent]

    def _diff_legs(self, bridge: str, call: str, old: Segment | None, new: Segment, moved: bool) -> None:
        before = {leg.leg: leg for leg in old.legs} if old is not None and old.state != "ended" else {}
        after = {leg.leg: leg for leg in new.legs} if new.state != "ended" else {}
        self._out += [LegRemoved(bridge, leg) for leg in before if leg not in after]
        add = partial(self._add_leg, bridge, call)
        for number, leg in after.items():
            known = before.get(number)
            if moved or known is None or (known.party, leg_codecs(known)) != (leg.party, leg_codecs(leg)):
                add(leg)

    def _add_leg(self, bridge: str, call: str, leg: Leg) -> None:
        self._out.append(LegAdded(bridge, leg.leg, call, leg.party, leg_codecs(leg)))

    def _part(self, segment: str, call: Interaction, now: float) -> None:
        """Take a segment out of the interaction it was in: it was joined to another one."""
        del call.segments[segment]
        if call.segments:
            self._settle(call, now)
        else:
            self._drop(call)

    def _end(self, bridge: str, segments: set[str], now: float) -> None:
        for id_ in sorted(segments):
            owner = self._owner.get((bridge, id_))
            if owner is None or (segment := self._calls[owner].segments[id_]).state == "ended":
                continue
            at_ns = max(self._bridges[bridge].mono_at(now), segment.state_since_ns)
            ended = msgspec.structs.replace(
                segment, state="ended", hold_by="", state_since_ns=at_ns, ended_ns=at_ns, cause="gone"
            )
            self.announce(bridge, ended, now)

    def _drop(self, call: Interaction) -> None:
        del self._calls[call.id]
        for segment in call.segments:
            del self._owner[(call.bridge, segment)]
        self._out.append(CallGone(call.bridge, call.id))
