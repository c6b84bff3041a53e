"""The figures of one interaction as pages show them, from its time line and its legs."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Final

from livemon.bus.messages import CallFigures, PartyName
from livemon.talk.ledger import BITS, HEARD, Ledger
from livemon.talk.timeline import Timeline

DEAD_AIR_MS: Final = 5000
"""A heard silence of 5 s counts as a dead-air event: the default of the first alert."""
Sound = Mapping[PartyName, tuple[float, int, bool]]
"""Party -> level in dBFS, loss in permille, whether it speaks at this moment."""
PARTIES: Final = ("agent", "customer")
_NONE: Final = (-96.0, 0, False)


def figures_of(timeline: Timeline, now: int, sound: Sound) -> CallFigures:
    """Return the figures as of `now` ms; sums are settled to about 0.5 s before it."""
    state, ledger = timeline.state, timeline.state.ledger
    running = timeline.running_silence(now)
    talkover = timeline.talkover()
    unsettled, _, parts = timeline.running_silence_sums(now)
    agent = sound.get("agent", _NONE)
    customer = sound.get("customer", _NONE)
    hold = sum(end - start for start, end in state.holds)
    if state.hold_from >= 0:
        hold += max(now - state.hold_from, 0)
    return CallFigures(
        id=timeline.call,
        silence_ms=max(now - running[0], 0) if running else 0,
        silence_cause=running[1] if running else "",
        speaking=sum(BITS[party] for party, values in sound.items() if values[2]) & 15,
        talkover_ms=talkover[1] - talkover[0] if talkover else 0,
        agent_talk_ms=ledger.agent_ms,
        customer_talk_ms=ledger.customer_ms,
        overlap_ms=ledger.overlap_ms,
        silence_total_ms=sum(ledger.silent_ms.get(cause, 0) for cause in HEARD) + unsettled,
        longest_silence_ms=max([ledger.longest_silence_ms, *parts]),
        dead_air_events=ledger.dead_air(DEAD_AIR_MS) + sum(part >= DEAD_AIR_MS for part in parts),
        interruptions=sum(ledger.interruptions.values()),
        hold_ms=hold,
        agent_dbfs=round(agent[0], 1),
        customer_dbfs=round(customer[0], 1),
        agent_loss_permille=agent[1],
        customer_loss_permille=customer[1],
    )


def talk_shares(ledger: Ledger) -> dict[str, dict[str, float]]:
    """Return each party's talk in percent `of_speech` (agent + customer talk) and `of_call` (since the answer)."""
    talk = {"agent": ledger.agent_ms, "customer": ledger.customer_ms}
    speech = max(sum(talk.values()), 1)
    whole = max(ledger.until_ms - ledger.since_ms, 1)
    return {party: {"of_speech": 100 * talk[party] / speech, "of_call": 100 * talk[party] / whole} for party in PARTIES}


def reply_times(ledger: Ledger) -> dict[str, dict[str, int]]:
    """Return count, median and 90th percentile (nearest rank, ms) of each party's response latency."""
    out = {}
    for party, gaps in ledger.latencies.items():
        ranked = sorted(gaps)
        out[party] = {"count": len(ranked), "median_ms": _rank(ranked, 0.5), "p90_ms": _rank(ranked, 0.9)}
    return out


def _rank(ranked: list[int], share: float) -> int:
    return ranked[max(0, ceil(share * len(ranked)) - 1)]
