"""Whole-call figures from who spoke when: every number of `docs/metrics.md` is defined by this file.

The ledger is fed with the settled past in adjoining stretches, each with the set of parties that spoke in it, and
never needs to look back. It is also what a checkpoint saves.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from livemon.talk.ports import Cause

AGENT: Final = 1
CUSTOMER: Final = 2
THIRD: Final = 4
COACH: Final = 8
MACHINE: Final = 16
BITS: Final = {"agent": AGENT, "customer": CUSTOMER, "third": THIRD, "coach": COACH, "machine": MACHINE}
BOTH: Final = AGENT | CUSTOMER

BACKCHANNEL_MS: Final = 500
"""An overlap of at most 0.5 s is a "mhm", not an interruption."""
MONOLOGUE_PAUSE_MS: Final = 3000
"""A pause above 3 s ends a monologue even if nobody else takes the floor."""
KEPT_MS: Final = 1000
"""Silences of at least 1 s are kept one by one, shorter ones only summed."""
KEPT: Final = 512
"""Marks of one kind kept per call: two hours of heavy talk-over; the sums go on without them."""

HEARD: Final = ("unexplained", "agent_muted")
"""Causes of a silence that the customer really experiences as nobody speaking; only these can be dead air."""
Mark = tuple[int, int, str]
_T = TypeVar("_T")


class Ledger(msgspec.Struct):
    """Sums and marks of one call in ms; stretches before `since_ms` (the answer) do not count."""

    since_ms: int = 0
    until_ms: int = 0
    agent_ms: int = 0
    customer_ms: int = 0
    overlap_ms: int = 0
    other_ms: int = 0
    silent_ms: dict[str, int] = {}
    longest_silence_ms: int = 0
    silences: list[Mark] = []
    """(start, end, cause) of silences of at least 1 s."""
    overlaps: list[Mark] = []
    """(start, end, party that started second)."""
    backchannels: dict[str, int] = {}
    interruptions: dict[str, int] = {}
    interruption_starts: list[int] = []
    latencies: dict[str, list[int]] = {}
    """Per answering party: gaps between the other's last word and its first, 0 where they overlapped."""
    longest_monologue_ms: dict[str, int] = {}
    greeting_ms: int = -1
    overlap_from: int = -1
    overlap_by: str = ""
    floor: str = ""
    floor_from: int = 0
    floor_until: int = 0
    spoke: dict[str, int] = {}
    """Per party: end of its speech so far."""
    began: dict[str, int] = {}
    """Per party: start of its current run of speech."""
    previous: int = 0

    def feed(self, start: int, end: int, bits: int) -> None:
        """Take in the stretch [start, end) in which the parties of `bits` spoke; `start` is the last `end`."""
        self.until_ms = end
        start = max(start, self.since_ms)
        if end <= start:
            return
        length = end - start
        self._sums(bits, length)
        self._overlap(start, end, bits)
        self._floor(start, end, bits)
        self.previous = bits

    def _sums(self, bits: int, length: int) -> None:
        if bits & AGENT:
            self.agent_ms += length
        if bits & CUSTOMER:
            self.customer_ms += length
        if bits & BOTH == BOTH:
            self.overlap_ms += length
        elif bits and not bits & BOTH:
            self.other_ms += length

    def silence(self, start: int, end: int, cause: Cause) -> None:
        """Take in a whole silence, or the part of one that has this cause."""
        start = max(start, self.since_ms)
        if end <= start:
            return
        length = end - start
        self.silent_ms[cause] = self.silent_ms.get(cause, 0) + length
        if cause in HEARD:
            self.longest_silence_ms = max(self.longest_silence_ms, length)
        if length >= KEPT_MS:
            _keep(self.silences, (start, end, cause))

    def relabel(self, start: int, end: int, cause: Cause) -> None:
        """Give silence kept between `start` and `end` as `no_packets` its true cause, known too late."""
        for at in range(len(self.silences) - 1, -1, -1):
            begun, over, was = self.silences[at]
            if over <= start:
                return
            if was == "no_packets" and begun < end:
                self.silences[at] = (begun, over, cause)
                self.silent_ms[was] -= over - begun
                self.silent_ms[cause] = self.silent_ms.get(cause, 0) + over - begun

    def dead_air(self, threshold_ms: int) -> int:
        """Return how many heard silences reached `threshold_ms`."""
        return sum(cause in HEARD and end - start >= threshold_ms for start, end, cause in self.silences)

    def _overlap(self, start: int, end: int, bits: int) -> None:
        if bits & BOTH == BOTH:
            if self.overlap_from < 0:
                self.overlap_from = start
                # Who was already heard started first; a tie never counts against the agent.
                self.overlap_by = "customer" if self.previous & AGENT or not self.previous & CUSTOMER else "agent"
        elif self.overlap_from >= 0:
            self._overlap_over(start)
        for party, bit in (("agent", AGENT), ("customer", CUSTOMER)):
            if bits & bit:
                if not self.previous & bit:
                    self.began[party] = start
                self.spoke[party] = end

    def _overlap_over(self, end: int) -> None:
        start, by = self.overlap_from, self.overlap_by
        self.overlap_from = -1
        _keep(self.overlaps, (start, end, by))
        if end - start > BACKCHANNEL_MS:
            self.interruptions[by] = self.interruptions.get(by, 0) + 1
            _keep(self.interruption_starts, start)
        else:
            self.backchannels[by] = self.backchannels.get(by, 0) + 1

    def _floor(self, start: int, end: int, bits: int) -> None:
        if bits & AGENT and self.greeting_ms < 0:
            self.greeting_ms = start - self.since_ms
        if bits in (AGENT, CUSTOMER):
            party = "agent" if bits == AGENT else "customer"
            if party != self.floor:
                self._take_floor(party)
            elif start - self.floor_until > MONOLOGUE_PAUSE_MS:
                self.floor_from = start
            self._hold_floor(end)
        elif bits and self.floor and bits & BITS[self.floor]:
            self._hold_floor(end)

    def _hold_floor(self, end: int) -> None:
        self.floor_until = end
        length = end - self.floor_from
        self.longest_monologue_ms[self.floor] = max(self.longest_monologue_ms.get(self.floor, 0), length)

    def _take_floor(self, party: str) -> None:
        began = self.began[party]
        if self.floor:
            # Overlapped replies count as 0; a pause that something else explains is no reply time.
            gap = max(0, began - self.spoke[self.floor])
            if gap == 0 or not self._explained(self.spoke[self.floor], began):
                _keep(self.latencies.setdefault(party, []), gap)
        self.floor = party
        self.floor_from = began

    def _explained(self, start: int, end: int) -> bool:
        # A short silence is kept only as a sum, but no cause lasts less than that.
        return any(s < end and start < e and cause not in HEARD for s, e, cause in self.silences[-8:])


def _keep(marks: list[_T], mark: _T) -> None:
    marks.append(mark)
    if len(marks) > KEPT:
        del marks[0]
