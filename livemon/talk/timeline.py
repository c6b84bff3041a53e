"""The time line of one interaction: who spoke when, what every silence was, and the figures that follow.

Spurts arrive while they may still change: an open one can grow, a closed one cannot, and a new one begins at most
0.1 s before it is announced. So the past settles a little behind now, and only settled time enters the ledger.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import msgspec

from livemon.bus.messages import PartyName, Spurt
from livemon.talk.causes import FOREVER, Causes
from livemon.talk.ledger import BITS, BOTH, HEARD, Ledger
from livemon.talk.ports import Cause, SilenceBegan, SilenceEnded, TalkEvent

RETRO_MS: Final = 100
"""A burst is announced at most 4 frames after its first frame began."""
KEPT_SPURTS: Final = 4096
"""Spurts kept per lane for pages that open late: over two hours of talk."""


class Lane(msgspec.Struct):
    """What one leg said: closed spurts [start, end] sorted, and the open one (start -1: none)."""

    party: PartyName
    spurts: list[tuple[int, int]] = []
    start: int = -1
    end: int = 0
    settled: int = 0
    gone: bool = False

    def last_end(self) -> int:
        """Return where its last closed spurt ended, or -1."""
        return self.spurts[-1][1] if self.spurts else -1


class State(msgspec.Struct):
    """Everything of a time line that a checkpoint saves."""

    answered: int = -1
    ended: int = -1
    settled: int = 0
    silence_from: int = 0
    """Start of the silence that is running at `settled`, or -1."""
    lanes: dict[int, Lane] = {}
    ledger: Ledger = msgspec.field(default_factory=Ledger)
    causes: Causes = msgspec.field(default_factory=Causes)
    holds: list[tuple[int, int]] = []
    hold_from: int = -1


class Timeline:
    """Joins the lanes of one interaction; all times in ms from its start."""

    def __init__(self, call: str, state: State | None = None) -> None:
        self.call = call
        self.state = state if state is not None else State()
        self._told: tuple[int, Cause] | None = None

    # -- lanes -----------------------------------------------------------------------------------------------------

    def lane(self, leg: int, party: PartyName, now: int) -> None:
        """Add the lane of `leg`, or change its party."""
        known = self.state.lanes.get(leg)
        if known is None:
            self.state.lanes[leg] = Lane(party, settled=max(now, self.state.settled))
        else:
            known.gone = False
            known.party = party

    def leave(self, leg: int) -> None:
        """Note that `leg` says nothing more."""
        lane = self.state.lanes.get(leg)
        if lane is not None:
            self._close(lane)
            lane.gone = True

    def opened(self, leg: int, start: int) -> int:
        """Open a spurt; returns its start, moved after what is already settled."""
        lane = self.state.lanes[leg]
        lane.start = lane.end = max(start, lane.last_end(), self.state.settled)
        return lane.start

    def grown(self, leg: int, end: int, processed: int) -> None:
        """Tell how far the leg has been read, and where its open spurt ends so far."""
        lane = self.state.lanes[leg]
        if lane.start >= 0:
            lane.end = max(lane.end, end)
            lane.settled = lane.end
        else:
            lane.settled = max(lane.settled, processed - RETRO_MS)

    def closed(self, leg: int, end: int) -> tuple[int, int]:
        """Close the open spurt and return it."""
        lane = self.state.lanes[leg]
        lane.end = max(lane.end, end)
        return self._close(lane)

    def _close(self, lane: Lane) -> tuple[int, int]:
        span = (lane.start, lane.end)
        if lane.start >= 0:
            if lane.end > lane.start:
                lane.spurts.append(span)
                del lane.spurts[:-KEPT_SPURTS]
            lane.start = -1
        return span

    # -- signalling ------------------------------------------------------------------------------------------------

    def answer(self, at: int) -> None:
        """The call was answered at `at`; figures count from here. Only the first answer does."""
        self.state.causes.end("ringing", at)
        if self.state.answered < 0:
            self.state.answered = at
            self.state.ledger.since_ms = at

    def hold(self, at: int) -> None:
        """The call was put on hold."""
        if self.state.hold_from < 0:
            self.state.hold_from = at
        self.state.causes.begin("hold", at)

    def resume(self, at: int) -> None:
        """The call came back from hold."""
        self.state.causes.end("hold", at)
        if self.state.hold_from >= 0:
            self.state.holds.append((self.state.hold_from, max(at, self.state.hold_from)))
            self.state.hold_from = -1

    def end(self, at: int) -> None:
        """The call is over."""
        if self.state.ended >= 0:
            return
        self.resume(at)
        for lane in self.state.lanes.values():
            self._close(lane)
            lane.gone = True
        self.state.ended = at
        self.settle(at)
        self._finish_silence(at)

    # -- settling --------------------------------------------------------------------------------------------------

    def settle(self, now: int) -> None:
        """Move everything that cannot change any more into the ledger."""
        state = self.state
        upto = min((lane.settled for lane in state.lanes.values() if not lane.gone), default=now)
        upto = min(upto, now) if state.ended < 0 else state.ended
        at = state.settled
        if upto <= at:
            return
        for start, end, bits in self._stretches(at, upto):
            self._feed(start, end, bits)
        state.settled = upto
        state.causes.prune(upto if state.silence_from < 0 else state.silence_from)

    def _feed(self, start: int, end: int, bits: int) -> None:
        state = self.state
        if bits == 0:
            if state.silence_from < 0:
                state.silence_from = start
        elif state.silence_from >= 0:
            self._finish_silence(start)
        state.ledger.feed(start, end, bits)

    def _finish_silence(self, end: int) -> None:
        if self.state.silence_from >= 0:
            for start, over, cause in self.state.causes.split(self.state.silence_from, end):
                self.state.ledger.silence(start, over, cause)
            self.state.silence_from = -1

    def _stretches(self, at: int, upto: int) -> list[tuple[int, int, int]]:
        near: list[tuple[int, int, int]] = []
        edges = {at, upto}
        for lane in self.state.lanes.values():
            bit = BITS[lane.party]
            for start, end in _after(lane, at):
                if start < upto:
                    near.append((start, end, bit))
                    edges.update((max(start, at), min(end, upto)))
        points = sorted(edges)
        out = []
        for a, b in pairwise(points):
            bits = 0
            for start, end, bit in near:
                if start <= a < end:
                    bits |= bit
            out.append((a, b, bits))
        return out

    # -- questions -------------------------------------------------------------------------------------------------

    def running_silence(self, now: int) -> tuple[int, Cause] | None:
        """Return (start, cause) of the silence that is on now, or None while anybody speaks or after the end."""
        state = self.state
        if state.ended >= 0 or any(lane.start >= 0 for lane in state.lanes.values()):
            return None
        since = max((lane.last_end() for lane in state.lanes.values()), default=0)
        since = max(since, 0, state.answered if state.answered <= now else 0)
        # Up to and with this instant: what ended or began just now counts.
        parts = state.causes.split(since, max(now, since) + 1)
        return parts[-1][0], parts[-1][2]

    def running_silence_sums(self, now: int) -> tuple[int, int, list[int]]:
        """Return (ms heard, ms in all, lengths of the heard parts) of the silence not yet in the ledger."""
        start = self.state.silence_from
        if start < 0 or self.state.answered < 0:
            return 0, 0, []
        start = max(start, self.state.answered)
        parts = self.state.causes.split(start, max(start, min(self.state.settled, now)))
        heard = [b - a for a, b, cause in parts if cause in HEARD]
        return sum(heard), sum(b - a for a, b, _ in parts), heard

    def talkover(self) -> tuple[int, int] | None:
        """Return (start, end so far) of the running talk-over of agent and customer, or None."""
        first: dict[int, tuple[int, int]] = {}
        for lane in self.state.lanes.values():
            if lane.start >= 0 and BITS[lane.party] & BOTH:
                bit = BITS[lane.party]
                start, end = first.get(bit, (FOREVER, 0))
                first[bit] = (min(start, lane.start), max(end, lane.end))
        if len(first) < 2:
            return None
        start = max(span[0] for span in first.values())
        end = min(span[1] for span in first.values())
        return (start, end) if end > start else None

    def maybe_both(self) -> bool:
        """Say whether agent and customer both have an open spurt, before their ends are brought up to date."""
        bits = 0
        for lane in self.state.lanes.values():
            if lane.start >= 0:
                bits |= BITS[lane.party]
        return bits & BOTH == BOTH

    def spurts_since(self, since: int) -> list[Spurt]:
        """Return spurts that end after `since`, or are still open, sorted by start."""
        out = []
        for lane in self.state.lanes.values():
            out += [Spurt(self.call, lane.party, a, b, False) for a, b in _closed_after(lane, since)]
            if lane.start >= 0:
                out.append(Spurt(self.call, lane.party, lane.start, lane.end, True))
        return sorted(out, key=lambda spurt: (spurt.start_ms, spurt.party))

    def tell(self, now: int) -> list[TalkEvent]:
        """Return what changed about the running silence since the last call."""
        running = self.running_silence(now)
        if running == self._told:
            return []
        events: list[TalkEvent] = []
        if self._told is not None:
            start, cause = self._told
            over = running[0] if running is not None else self._silence_over(now)
            events.append(SilenceEnded(self.call, start, max(over, start), cause))
        if running is not None:
            events.append(SilenceBegan(self.call, *running))
        self._told = running
        return events

    def _silence_over(self, now: int) -> int:
        starts = [lane.start for lane in self.state.lanes.values() if lane.start >= 0]
        return min(starts, default=self.state.ended if self.state.ended >= 0 else now)


def _closed_after(lane: Lane, at: int) -> list[tuple[int, int]]:
    out = []
    for span in reversed(lane.spurts):
        if span[1] <= at:
            break
        out.append(span)
    return out


def _after(lane: Lane, at: int) -> list[tuple[int, int]]:
    out = _closed_after(lane, at)
    if lane.start >= 0 and lane.end > at:
        out.append((lane.start, lane.end))
    return out
