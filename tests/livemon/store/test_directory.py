from __future__ import annotations

import pytest

from livemon.bus.messages import Agent, Directory, QueueEntry, Team
from livemon.errors import ConfigError
from livemon.store.directory import DirectoryStore
from livemon.store.engine import Store

FIRST = Directory(
    1,
    (
        Agent("a1", "Anna", "201", "blue", ("sales",), ("201", "sip:201@pbx")),
        Agent("a2", "Bert", "202", "red", (), ("202",)),
    ),
    (Team("blue", "Blue"), Team("red", "Red")),
    (QueueEntry("sales", "Sales", dead_air_warn_ms=7000), QueueEntry("support", "Support")),
)


async def test_the_directory_reads_back_as_it_was_written(store: Store) -> None:
    directory = DirectoryStore(store)
    await directory.replace(FIRST)
    assert await directory.load(1) == FIRST


async def test_a_new_directory_replaces_the_old_one_whole(store: Store) -> None:
    directory = DirectoryStore(store)
    await directory.replace(FIRST)
    second = Directory(
        2,
        (Agent("a1", "Anna B.", "201", "green", ("support",), ("202",)), Agent("a3", "Cleo", "203", "", ("other",))),
        (Team("green", "Green"),),
        (QueueEntry("support", "Support 2", hold_warn_ms=1),),
    )
    await directory.replace(second)
    assert await directory.load(2) == second


async def test_addresses_are_compared_in_lower_case(store: Store) -> None:
    directory = DirectoryStore(store)
    await directory.replace(Directory(1, (Agent("a", "A", "1", "t", (), ("SIP:A@X",)),), (Team("t", "T"),), ()))
    assert (await directory.load(1)).agents[0].addresses == ("sip:a@x",)


@pytest.mark.parametrize(
    ("agents", "message"),
    [
        ((Agent("a", "A", "1", "nowhere"),), "no team 'nowhere'"),
        ((Agent("a", "A", "1", "t", (), ("X",)), Agent("b", "B", "2", "t", (), ("x",))), "belongs to a and b"),
    ],
)
async def test_a_contradiction_is_named_and_nothing_is_written(
    store: Store, agents: tuple[Agent, ...], message: str
) -> None:
    directory = DirectoryStore(store)
    with pytest.raises(ConfigError, match=message):
        await directory.replace(Directory(1, agents, (Team("t", "T"),), ()))
    assert await directory.load(0) == Directory(0, (), (), ())
