from __future__ import annotations

from dataclasses import dataclass

import pytest

from livemon.bus.messages import Principal
from livemon.calls.access import allowed, in_scope


@dataclass(frozen=True)
class Call:
    agent_id: str = "anna"
    team: str = "t1"
    queue: str = "q1"


def principal(
    all_calls: bool = False, teams: tuple[str, ...] | None = None, queues: tuple[str, ...] | None = None
) -> Principal:
    return Principal("u", "U", "supervisor", ("view", "listen"), all_calls, teams, queues)


def test_a_right_that_is_not_held_is_refused_whatever_the_scope() -> None:
    assert allowed(principal(all_calls=True), "barge", Call()) == "no_right"


def test_a_right_outside_the_scope_is_refused() -> None:
    assert allowed(principal(teams=("t2",)), "listen", Call()) == "not_in_scope"
    assert allowed(principal(teams=("t1",)), "listen", Call()) == ""


@pytest.mark.parametrize(
    ("who", "call", "seen"),
    [
        (principal(all_calls=True), Call(), True),
        (principal(all_calls=True), Call("unassigned", "", ""), True),
        (principal(), Call("unassigned", "", "q1"), False),
        (principal(queues=("q1",)), Call("unassigned", "", "q1"), False),
        (principal(), Call(), True),
        (principal(teams=("t1",)), Call(), True),
        (principal(teams=("t2",)), Call(), False),
        (principal(queues=("q1",)), Call(), True),
        (principal(queues=("q2",)), Call(), False),
        (principal(teams=("t2",), queues=("q1",)), Call(), True),
        (principal(teams=("t1",), queues=("q2",)), Call(), True),
        (principal(teams=("t2",), queues=("q2",)), Call(), False),
        (principal(teams=()), Call(), False),
        (principal(teams=(), queues=()), Call(), False),
        (principal(teams=("",)), Call(team=""), False),
        (principal(queues=("",)), Call(queue=""), False),
    ],
)
def test_scope(who: Principal, call: Call, seen: bool) -> None:
    assert in_scope(who, call) is seen
