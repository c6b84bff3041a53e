"""The people of the demo. None of them exists; the telephone numbers are reserved for fiction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SampleAgent:
    """A sample agent: extension, team, the scripts played in turn, and the pitch of the voice in semitones."""

    name: str
    extension: str
    team: str
    scripts: tuple[str, ...]
    semitones: float


TEAMS: Final = {"orders": "Orders", "service": "Service"}
QUEUES: Final = {"orders": "Orders", "billing": "Billing", "support": "Support", "renewals": "Renewals"}

# The first three always show what the wallboard is for: a silence, people talking over each other, a hold.
AGENTS: Final = (
    SampleAgent("Ada Sample", "201", "orders", ("lost_order",), 0.0),
    SampleAgent("Ben Sample", "202", "service", ("late_refund",), -4.0),
    SampleAgent("Cleo Sample", "203", "orders", ("warranty",), 1.5),
    SampleAgent("Dan Sample", "204", "orders", ("new_address", "delivery_time"), -3.0),
    SampleAgent("Eve Sample", "205", "service", ("password", "new_address"), 2.5),
    SampleAgent("Finn Sample", "206", "service", ("renewal", "survey"), -2.0),
    SampleAgent("Gil Sample", "207", "orders", ("delivery_time", "password"), 1.0),
    SampleAgent("Hana Sample", "208", "service", ("survey", "renewal"), 3.5),
)


def customer_number(slot: int, which: int) -> str:
    """Return the `which`-th (0 to 99) customer of the agent in `slot`; no two agents share one.

    555-0100 to 555-0199 are kept for fiction in every area code of the North American Numbering Plan.
    """
    return f"+1{202 + slot % 700}555{100 + which:04d}"


def customer_pitch(number: int, agent: SampleAgent) -> float:
    """Return a customer's pitch in semitones: at least two away from the agent's, so that they tell apart."""
    sign = 1.0 if number % 2 else -1.0
    # One of these always fits between -4 and 4, where a voice still sounds like one.
    pitches = [agent.semitones + sign * offset for offset in (3.0, -3.0, 2.0, -2.0)]
    fitting = [pitch for pitch in pitches if -4.0 <= pitch <= 4.0]
    return fitting[0]
