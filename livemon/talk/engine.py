"""The talk analysis: all legs of one bridge in one columnar step every 20 ms.

Packets are queued as they come and placed in batches; each step reads one 20 ms slot of every leg, asks the speech
detector about the loud ones and lets the spurt finder decide. Python objects are touched only where something
changed. Times named `*_us` are the bridge's CLOCK_MONOTONIC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from livemon.bus.messages import CallFigures, PartyName, Spurt
from livemon.talk.bank import LegBank
from livemon.talk.call import Call, Memory
from livemon.talk.placement import DELAY_US
from livemon.talk.ports import CallCondition, Signal, SpurtClosed, SpurtExtended, SpurtOpened, TalkEvent
from livemon.talk.report import figures_of
from livemon.talk.spurts import SpurtChanges
from livemon.talk.timeline import State
from sip_bridge.link.wire import TapPacket, TapRow

STEP_US: Final = 20_000
MAX_BEHIND_US: Final = 10_000_000
"""A step later than this (a suspended machine) skips the time between: the bridge replays 6 s at most."""
AHEAD_US: Final = 500_000
"""A packet may be this far ahead of `now_us`, which is an estimate; rings hold twice that."""
QUEUE: Final = 200_000
"""Packets between two steps; 1000 calls send 2000 a step, so this is a replay of seconds. More is dropped."""
INTERRUPTION_WINDOW_MS: Final = 60_000


class Checkpoint(msgspec.Struct):
    """The saved state of one engine."""

    version: int
    calls: list[Memory]
    levels: dict[int, tuple[float, float]]
    """Leg -> noise floor and speech level, so that a known leg need not be learnt again."""


class TalkEngine:
    """Implements `livemon.talk.ports.TalkAnalysis` for the legs of one bridge."""

    def __init__(self) -> None:
        self._bank = LegBank()
        self._call_of: dict[int, Call] = {}
        self._calls: dict[str, Call] = {}
        self._queue: list[TapPacket] = []
        self._now = -1
        self._out: list[TalkEvent] = []
        self._dirty: set[str] = set()
        self._unsettled: set[str] = set()
        """Calls in which somebody began or ended since their time line was last settled."""
        self._reported: dict[int, tuple[int, int]] = {}
        self._known_levels: dict[int, tuple[float, float]] = {}
        self.counters = {"packets": 0, "unknown_leg": 0, "queue_full": 0, "skipped_ms": 0}

    # -- calls and legs --------------------------------------------------------------------------------------------

    def start(self, interaction: str, started_us: int) -> None:
        """Set the zero of the interaction's time line; the first one given stays."""
        self._call(interaction).ms(started_us)

    def add_leg(self, leg: int, interaction: str, party: PartyName, codecs: Mapping[int, str]) -> None:
        """Begin to measure `leg`, or change what is known of it."""
        old = self._call_of.get(leg)
        call = self._call(interaction)
        row = self._bank.add(leg)
        if leg in self._known_levels:
            self._bank.levels.floor[row], self._bank.levels.speech[row] = self._known_levels.pop(leg)
        if old is not None and old is not call:
            self._leave(old, leg)
        fresh = leg not in call.legs
        call.legs[leg] = party
        self._call_of[leg] = call
        self._bank.codecs(row, codecs)
        self._lane(call, leg, party, fresh, row)
        self._bank.audible[row] = call.audible(party)
        self._dirty.add(interaction)

    def _lane(self, call: Call, leg: int, party: PartyName, fresh: bool, row: int) -> None:
        now = call.ms(self._now) if self._now >= 0 and call.start_us >= 0 else 0
        call.timeline.lane(leg, party, max(now - DELAY_US // 1000, 0))
        if fresh and not self._bank.placement.started[row]:
            call.timeline.state.causes.begin("no_packets", max(now, 0), str(leg))

    def remove_leg(self, leg: int) -> None:
        """Stop measuring `leg`."""
        call = self._call_of.get(leg)
        if call is None:
            return
        self._leave(call, leg)
        del self._call_of[leg]
        self._reported.pop(leg, None)
        self._bank.remove(leg)

    def _leave(self, call: Call, leg: int) -> None:
        self._close_spurt(leg)
        call.timeline.leave(leg)
        call.legs.pop(leg, None)
        call.timeline.state.causes.end("no_packets", self._ms(call), str(leg))
        self._dirty.add(call.id)

    def forget(self, interaction: str) -> None:
        """Drop an interaction and its legs."""
        call = self._calls.pop(interaction, None)
        if call is not None:
            for leg in list(call.legs):
                self.remove_leg(leg)
            self._dirty.discard(interaction)
            self._unsettled.discard(interaction)

    def calls(self) -> list[str]:
        """Return the ids of the interactions that are known."""
        return list(self._calls)

    def _call(self, interaction: str) -> Call:
        call = self._calls.get(interaction)
        if call is None:
            call = self._calls[interaction] = Call(interaction)
        return call

    # -- input -----------------------------------------------------------------------------------------------------

    def packet(self, packet: TapPacket) -> None:
        """Take in one packet."""
        self.packets((packet,))

    def packets(self, packets: Iterable[TapPacket]) -> None:
        """Take in packets in the order they came; they are placed at the next step."""
        self._queue.extend(packets)
        if len(self._queue) > QUEUE:
            self.counters["queue_full"] += len(self._queue) - QUEUE
            del self._queue[:-QUEUE]

    def rows(self, rows: Iterable[TapRow]) -> None:
        """Take in the bridge's counters; its loss is preferred to ours, which cannot tell tap loss apart."""
        for row in rows:
            if row.leg in self._bank.row_of:
                self._reported[row.leg] = (row.packets, row.lost)

    def tap_lost(self, leg: int | None, start_us: int, end_us: int) -> None:
        """Note that the tap lost packets of `leg` (None: every leg) between these times."""
        legs = [leg] if leg is not None else list(self._call_of)
        for one in legs:
            call = self._call_of.get(one)
            if call is not None:
                start, end = call.ms(start_us), call.ms(end_us)
                call.timeline.state.causes.add("tap_lost", start, end, str(one))
                call.timeline.state.ledger.relabel(start, end, "tap_lost")
                self._dirty.add(call.id)

    def signal(self, interaction: str, event: Signal, at_us: int, by: str = "") -> None:
        """Take in what signalling says."""
        call = self._call(interaction)
        if event == "ended":
            self._refresh(call)
            for leg in call.legs:
                self._close_spurt(leg)
        call.signal(event, call.ms(at_us), by)
        for leg, party in call.legs.items():
            self._bank.audible[self._bank.row_of[leg]] = call.audible(party)
        self._dirty.add(interaction)

    # -- the step --------------------------------------------------------------------------------------------------

    def step(self, now_us: int) -> None:
        """Advance to `now_us` in steps of 20 ms."""
        if self._now < 0:
            self._now = now_us - STEP_US
        if now_us - self._now > MAX_BEHIND_US:
            self.counters["skipped_ms"] += (now_us - self._now - MAX_BEHIND_US) // 1000
            self._now = now_us - MAX_BEHIND_US
        while self._now + STEP_US <= now_us:
            self._now += STEP_US
            queue = self._take_queue(self._now + STEP_US > now_us)
            self._bank.placement.clock.step(self._now, STEP_US)
            if queue:
                self._write(queue)
            while len(due := self._bank.due(self._now)):
                changes = self._bank.read(due)
                if changes.any():
                    self._apply(changes)
            self._take_gaps()
        self._tell()

    def _take_queue(self, everything: bool) -> list[TapPacket]:
        queue = self._queue
        if not queue or (everything and queue[-1].arrival_us <= self._now + AHEAD_US):
            self._queue = []
            return queue
        # Catching up, or a clock that lags: a packet must not be placed before the reader is near it.
        limit = self._now + AHEAD_US if everything else self._now
        self._queue = [p for p in queue if p.arrival_us > limit]
        return [p for p in queue if p.arrival_us <= limit]

    def _write(self, packets: list[TapPacket]) -> None:
        self.counters["packets"] += len(packets)
        self.counters["unknown_leg"] += self._bank.write(packets)
        for row in self._bank.placement.begun:
            leg = self._bank.leg_at[row]
            call = self._call_of[leg]
            call.begun(leg, self._ms(call))
            self._dirty.add(call.id)
        self._bank.placement.begun.clear()

    def _apply(self, changes: SpurtChanges) -> None:
        for row, end in zip(changes.closed.tolist(), changes.closed_end.tolist(), strict=True):
            leg = self._bank.leg_at[row]
            self._closed(self._call_of[leg], leg, end)
        for row in changes.opened.tolist():
            leg = self._bank.leg_at[row]
            call = self._call_of[leg]
            start = call.timeline.opened(leg, call.ms(int(self._bank.spurts.start[row])))
            self._out.append(SpurtOpened(call.id, call.legs[leg], start))
            self._dirty.add(call.id)
        for row in changes.extended.tolist():
            leg = self._bank.leg_at[row]
            call = self._call_of[leg]
            lane = call.timeline.state.lanes[leg]
            end_ms = call.ms(int(self._bank.spurts.end[row]))
            self._out.append(SpurtExtended(call.id, lane.party, lane.start, end_ms))

    def _closed(self, call: Call, leg: int, end_us: int) -> None:
        start, end = call.timeline.closed(leg, call.ms(end_us))
        self._out.append(SpurtClosed(call.id, call.legs[leg], start, end))
        self._unsettled.add(call.id)
        self._dirty.add(call.id)

    def _close_spurt(self, leg: int) -> None:
        span = self._bank.spurts.close(self._bank.row_of[leg])
        if span is not None:
            self._closed(self._call_of[leg], leg, span[1])

    def _take_gaps(self) -> None:
        for row, start_us, end_us, network in self._bank.placement.gaps:
            self._gap(self._bank.leg_at[row], bool(self._bank.placement.dtx[row]), start_us, end_us, network)
        self._bank.placement.gaps.clear()

    def _gap(self, leg: int, dtx: bool, start_us: int, end_us: int | None, network: bool) -> None:
        call = self._call_of[leg]
        causes = call.timeline.state.causes
        start = call.ms(start_us)
        self._dirty.add(call.id)
        if end_us is None:
            # A leg that suppresses silence, or is known to be muted, may be silent without sending: not a gap.
            if not dtx and not call.muted:
                causes.begin("no_packets", start, str(leg))
            return
        end = call.ms(end_us)
        if network:
            causes.cancel("no_packets", str(leg))
            causes.add("network", start, end, str(leg))
            call.timeline.state.ledger.relabel(start, end, "network")
        elif dtx:
            causes.cancel("no_packets", str(leg))
        else:
            causes.end("no_packets", end, str(leg))

    def _tell(self) -> None:
        for interaction in self._dirty:
            call = self._calls[interaction]
            if call.start_us >= 0:
                self._out.extend(call.timeline.tell(self._ms(call)))
        self._dirty.clear()

    # -- output ----------------------------------------------------------------------------------------------------

    def drain(self) -> list[TalkEvent]:
        """Return what happened since the last call, in order."""
        out, self._out = self._out, []
        return out

    def figures(self, interaction: str) -> CallFigures:
        """Return the interaction's figures; raises KeyError if it is unknown."""
        call = self._calls[interaction]
        self._refresh(call)
        bank = self._bank
        sound: dict[PartyName, tuple[float, int, bool]] = {}
        for leg, party in call.legs.items():
            row = self._bank.row_of[leg]
            packets, lost = self._reported.get(leg) or bank.placement.loss(row)
            level = float(bank.levels.last[row])
            sound.setdefault(party, (level, _permille(packets, lost), bank.speaking(row)))
        return figures_of(call.timeline, self._ms(call), sound)

    def condition(self, interaction: str) -> CallCondition:
        """Return what the alert rules look at; raises KeyError if the interaction is unknown."""
        call = self._calls[interaction]
        timeline = call.timeline
        now = self._ms(call)
        if interaction in self._unsettled or timeline.maybe_both():
            self._refresh(call)
        talkover = timeline.talkover()
        silence = timeline.running_silence(now)
        state = timeline.state
        return CallCondition(
            now_ms=now,
            silence_since_ms=None if silence is None else silence[0],
            silence_cause="" if silence is None else silence[1],
            hold_since_ms=state.hold_from if state.hold_from >= 0 else None,
            talkover_since_ms=None if talkover is None else talkover[0],
            talkover_until_ms=None if talkover is None else talkover[1],
            interruptions_ms=tuple(s for s in state.ledger.interruption_starts if s > now - INTERRUPTION_WINDOW_MS),
            ended=state.ended >= 0,
        )

    def state(self, interaction: str) -> State:
        """Return the whole time line, for reports at the end of a call; raises KeyError if it is unknown."""
        call = self._calls[interaction]
        self._refresh(call)
        return call.timeline.state

    def spurts_since(self, interaction: str, since_ms: int) -> list[Spurt]:
        """Return the spurts that end, or may still grow, after `since_ms`."""
        call = self._calls[interaction]
        self._refresh(call)
        return call.timeline.spurts_since(since_ms)

    def checkpoint(self) -> bytes:
        """Return everything whole-call figures need to continue after a restart (msgpack)."""
        for call in self._calls.values():
            self._refresh(call)
        levels = self._bank.levels
        known = {leg: (float(levels.floor[row]), float(levels.speech[row])) for leg, row in self._bank.row_of.items()}
        return msgspec.msgpack.encode(Checkpoint(1, [call.memory() for call in self._calls.values()], known))

    def restore(self, data: bytes) -> bool:
        """Take over a checkpoint before anything else; False if it cannot be read."""
        try:
            saved = msgspec.msgpack.decode(data, type=Checkpoint)
        except msgspec.MsgspecError:
            return False
        if saved.version != 1:
            return False
        self._calls = {memory.call: Call.recall(memory) for memory in saved.calls}
        self._known_levels = saved.levels
        return True

    def _ms(self, call: Call) -> int:
        return call.ms(self._now)

    def _refresh(self, call: Call) -> None:
        """Tell the time line how far each leg was read, and settle what can be."""
        if self._now < 0 or call.start_us < 0:
            return
        self._unsettled.discard(call.id)
        for leg in call.legs:
            row = self._bank.row_of[leg]
            end = call.ms(int(self._bank.spurts.end[row]))
            call.timeline.grown(leg, end, call.ms(self._bank.read_to(row, self._now)))
        call.timeline.settle(self._ms(call))


def _permille(packets: int, lost: int) -> int:
    return round(1000 * lost / packets) if packets > 0 else 0
