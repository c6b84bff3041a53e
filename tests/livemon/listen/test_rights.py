"""Rights and scope as a truth table."""

from __future__ import annotations

import pytest

from livemon.bus.messages import Mode, Principal
from livemon.listen.rights import missing, obstacle
from tests.listening import FakeCall, principal


def who(teams: tuple[str, ...] | None, queues: tuple[str, ...] | None, all_calls: bool = False) -> Principal:
    return Principal("sue", "Sue", "supervisor", ("listen",), all_calls, teams, queues)


@pytest.mark.parametrize(
    ("person", "agent", "expected"),
    [
        (who(None, None), "anna", True),
        (who(("sales",), None), "anna", True),
        (who(("other",), None), "anna", False),
        (who(None, ("q1",)), "anna", True),
        (who(("sales",), ("q2",)), "anna", True),
        (who(("other",), ("q1",)), "anna", True),
        (who(("other",), ("q2",)), "anna", False),
        (who((), None), "anna", False),
        (who(None, None), "unassigned", False),
        (who(None, None), "", False),
        (who((), (), all_calls=True), "unassigned", True),
    ],
)
def test_scope(person: Principal, agent: str, expected: bool) -> None:
    assert missing(person, FakeCall(agent_id=agent), "listen") == ("" if expected else "not_in_scope")


@pytest.mark.parametrize(
    ("rights", "mode", "expected"),
    [
        (("listen",), "listen", ""),
        (("listen",), "whisper", "no_right"),
        (("whisper",), "whisper", "no_right"),
        (("listen", "barge"), "barge", ""),
    ],
)
def test_rights(rights: tuple[str, ...], mode: Mode, expected: str) -> None:
    assert missing(principal(*rights), FakeCall(), mode) == expected


def test_rights_come_before_scope() -> None:
    assert missing(principal(teams=()), FakeCall(), "listen") == "not_in_scope"
    assert missing(principal("view", teams=()), FakeCall(), "listen") == "no_right"


def test_the_call_has_the_last_word() -> None:
    call = FakeCall(refused={"whisper": "agent_holds"})
    assert obstacle(call, "listen") == ""
    assert obstacle(call, "whisper") == "agent_holds"
    call.refused["listen"] = "private_call"
    assert obstacle(call, "whisper") == "private_call"
