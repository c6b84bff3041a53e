from livemon.demo.cast import AGENTS
from livemon.demo.schedule import Schedule


def test_the_same_seed_gives_the_same_calls() -> None:
    one, two, other = Schedule(8, 1), Schedule(8, 1), Schedule(8, 2)
    assert [one.next(3) for _ in range(5)] == [two.next(3) for _ in range(5)]
    assert one.next(4) != other.next(4)


def test_scripts_take_turns() -> None:
    schedule = Schedule(8, 1)
    assert [schedule.next(3).script for _ in range(3)] == ["new_address", "delivery_time", "new_address"]


def test_first_calls_start_at_once_and_apart() -> None:
    schedule = Schedule(8, 1)
    pauses = [schedule.next(slot).pause for slot in range(8)]
    assert pauses == sorted(pauses)
    assert pauses[0] == 0.0
    assert pauses[-1] < 0.5
    assert Schedule(8, 1).next(7).ring < 0.5
    assert 1.0 <= schedule.next(0).pause <= 3.0


def test_more_agents_than_the_cast_are_numbered() -> None:
    agents = Schedule(20, 1).agents
    assert agents[0] is AGENTS[0]
    assert agents[8].name == "Ada Sample 2"
    assert len({agent.extension for agent in agents}) == 20
