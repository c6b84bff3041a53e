from pathlib import Path

import pytest

from livemon.demo.cast import AGENTS, QUEUES, TEAMS, customer_pitch
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
