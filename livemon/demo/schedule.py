"""Who talks to whom next: every agent has a call, then a short pause, then the next, the same for the same seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from livemon.demo.cast import AGENTS, SampleAgent, customer_number, customer_pitch

# Long enough to be seen as a change on the page, short enough that eight agents stay busy.
PAUSE_S = (1.0, 3.0)
RING_S = (1.0, 2.5)
# The first calls come at once: whoever started the demo waits for them.
FIRST_RING_S = 0.3
FIRST_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class NextCall:
    """The next call of one agent: after a pause of `pause` s, answered after `ring` s."""

    agent: SampleAgent
    script: str
    customer: str
    customer_semitones: float
    pause: float
    ring: float
    seed: int


class Schedule:
    """The endless series of calls of `calls` agents; agents past the cast are numbered doubles of it."""

    def __init__(self, calls: int, seed: int) -> None:
        self._seed = seed
        self.agents = tuple(_agent(number) for number in range(calls))
        self._taken = dict.fromkeys(range(calls), 0)

    def next(self, slot: int) -> NextCall:
        """Return the next call of the agent in `slot`; the first has a short pause of its own, so calls start apart."""
        turn = self._taken[slot]
        self._taken[slot] = turn + 1
        chance = random.Random(f"{self._seed}/{slot}/{turn}")
        agent = self.agents[slot]
        caller = chance.randrange(100)
        return NextCall(
            agent=agent,
            script=agent.scripts[turn % len(agent.scripts)],
            customer=customer_number(slot, caller),
            customer_semitones=customer_pitch(caller, agent),
            pause=FIRST_PAUSE_S * slot if turn == 0 else chance.uniform(*PAUSE_S),
            ring=FIRST_RING_S if turn == 0 else chance.uniform(*RING_S),
            seed=chance.randrange(1 << 30),
        )


def _agent(number: int) -> SampleAgent:
    base = AGENTS[number % len(AGENTS)]
    round_ = number // len(AGENTS)
    if not round_:
        return base
    name, extension = f"{base.name} {round_ + 1}", f"{201 + number}"
    return SampleAgent(name, extension, base.team, base.scripts, base.semitones)
