from __future__ import annotations

import pytest

from livemon.bus.messages import Agent, Directory, QueueEntry, Team
from livemon.calls.directory import AgentIndex, address_forms

ANNA = Agent("anna", "Anna", "201", "t1", addresses=("SIP:201@PBX", "201"))
BEN = Agent("ben", "Ben", "202", "t1", addresses=("202", "201", "agent-77"))
INDEX = AgentIndex(Directory(3, (ANNA, BEN), (Team("t1", "Sales"),), (QueueEntry("Billing", "Billing line"),)))


@pytest.mark.parametrize(
    ("value", "forms"),
    [
        ('"A" <sip:201@PBX:5060;x=y>', ("sip:201@pbx:5060", "sip:201@pbx", "201@pbx", "201")),
        ("sip:201@pbx", ("sip:201@pbx", "201@pbx", "201")),
        ("tel:+4930", ("tel:+4930", "+4930")),
        ("201@pbx", ("201@pbx", "201")),
        ("Agent-77 ", ("agent-77",)),
        ("@", ("@",)),
        ("  ", ()),
    ],
)
def test_forms(value: str, forms: tuple[str, ...]) -> None:
    assert address_forms(value) == forms


@pytest.mark.parametrize(
    ("identity", "agent"),
    [
        (("sip:201@pbx:5062",), ANNA),
        (("<sip:nobody@x>", "202"), BEN),
        (("201",), ANNA),
        (("AGENT-77",), BEN),
        (("999",), None),
        ((), None),
    ],
)
def test_match(identity: tuple[str, ...], agent: Agent | None) -> None:
    assert INDEX.match(identity) is agent


def test_names() -> None:
    assert (INDEX.version, INDEX.team_name("t1"), INDEX.team_name("t9")) == (3, "Sales", "t9")
    entry = INDEX.queue("sip:billing@pbx")
    assert entry is not None
    assert entry.name == "Billing line"
    assert INDEX.queue("other") is None
    assert AgentIndex().match(("201",)) is None
