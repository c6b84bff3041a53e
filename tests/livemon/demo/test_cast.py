from pathlib import Path

import pytest

from livemon.demo.cast import AGENTS, QUEUES, TEAMS, customer_number, customer_pitch
from livemon.demo.script import parse

SCRIPTS = Path(__file__).parents[3] / "livemon" / "demo" / "scripts"


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)
def test_every_agent_has_a_team_and_scripts_that_parse(agent) -> None:  # type: ignore[no-untyped-def]
    assert agent.team in TEAMS
    for name in agent.scripts:
        assert parse(name, (SCRIPTS / f"{name}.toml").read_text()).queue in QUEUES


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)
@pytest.mark.parametrize("number", [0, 1])
def test_a_customer_sounds_different_from_the_agent(agent, number: int) -> None:  # type: ignore[no-untyped-def]
    pitch = customer_pitch(number, agent)
    assert -4.0 <= pitch <= 4.0
    assert abs(pitch - agent.semitones) >= 2.0


def test_no_two_agents_share_a_customer() -> None:
    assert customer_number(0, 0) == "+12025550100"
    assert len({customer_number(slot, which) for slot in range(20) for which in range(100)}) == 2000
