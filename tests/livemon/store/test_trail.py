from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from livemon.audit.entry import GENESIS, Entry, Head, compose
from livemon.store.engine import Store
from livemon.store.records import Seen
from livemon.store.trail import Cursor, Filter, TrailStore

ALL = Seen(True, "root")


def chain(writer: str, *fields: Mapping[str, Any], at_ms: int = 0) -> list[Entry]:
    head, entries = Head(0, GENESIS), []
    for number, members in enumerate(fields):
        entries.append(compose(writer, head, at_ms + number, "listen.started", members))
        head = entries[-1].head
    return entries


def lines(entries: list[Entry]) -> list[bytes]:
    return [entry.line for entry in entries]


@pytest.fixture
def trail(store: Store) -> TrailStore:
    return TrailStore(store)


async def test_an_import_that_is_repeated_or_overlaps_adds_each_entry_once(trail: TrailStore) -> None:
    entries = chain("node-0", *({"call": str(n)} for n in range(6)))
    assert (await trail.add("node-0", lines(entries[:4]))).added == 4
    assert (await trail.add("node-0", lines(entries[:4]))).added == 0
    assert (await trail.add("node-0", lines(entries[2:]))).added == 2
    assert await trail.head("node-0") == entries[-1].head
    assert [line async for line in trail.lines("node-0")] == lines(entries)


async def test_a_gap_stops_the_import_before_it(trail: TrailStore) -> None:
    entries = chain("node-0", *({} for _ in range(5)))
    result = await trail.add("node-0", lines(entries[:2] + entries[3:]))
    assert (result.added, result.head) == (2, entries[1].head)
    assert "sequence number 4 follows 2" in result.problem
    assert (await trail.heads())["node-0"] == (entries[1].head, result.problem)
    assert (await trail.add("node-0", lines(entries[2:]))).problem == ""


@pytest.mark.parametrize("damage", ["byte", "writer", "rewritten"])
async def test_what_was_tampered_with_is_not_imported(trail: TrailStore, damage: str) -> None:
    entries = chain("node-0", {"n": 1}, {"n": 2})
    await trail.add("node-0", lines(entries))
    bad = {
        "byte": lines(chain("node-0", {"n": 1}, {"n": 2}, {"n": 3}))[2].replace(b'"n":3', b'"n":4'),
        "writer": lines(chain("web", {}))[0],
        "rewritten": lines(chain("node-0", {"n": 7}, {"n": 8}))[1],
    }[damage]
    result = await trail.add("node-0", [bad])
    assert result.added == 0 and result.problem
    assert await trail.head("node-0") == entries[-1].head


async def test_pages_follow_each_other_without_gap_or_repetition(trail: TrailStore) -> None:
    for writer in ("node-0", "node-1"):
        await trail.add(writer, lines(chain(writer, *({} for _ in range(7)))))
    found: list[tuple[int, str, int]] = []
    before: Cursor | None = None
    while True:
        page, before = await trail.page(ALL, Filter(), before, 4)
        found += [(entry.at_ms, entry.writer, entry.seq) for entry in page]
        if before is None:
            break
    assert found == sorted(found, reverse=True) and len(set(found)) == 14


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Filter(), 3),
        (Filter(users=("u1",)), 2),
        (Filter(call_id="c2"), 1),
        (Filter(agent_id="a1"), 1),
        (Filter(kind="listen.started"), 3),
        (Filter(kind="login"), 0),
        (Filter(kind="listen."), 3),
        (Filter(kind="liste%."), 0),
        (Filter(users=()), 0),
        (Filter(from_ms=11), 2),
        (Filter(to_ms=11), 1),
    ],
)
async def test_filters(trail: TrailStore, wanted: Filter, count: int) -> None:
    fields = ({"user_id": "u1", "agent": "a1"}, {"user_id": "u1", "call": "c2"}, {"user": "u2"})
    await trail.add("n", lines(chain("n", *fields, at_ms=10)))
    assert len((await trail.page(ALL, wanted, None, 10))[0]) == count


@pytest.mark.parametrize(
    ("seen", "numbers"),
    [
        (ALL, [6, 5, 4, 3, 2, 1]),
        (Seen(False, "u9", teams=("blue",), queues=()), [2, 1]),
        (Seen(False, "u9", teams=(), queues=("sales",)), [5, 1]),
        (Seen(False, "u9", teams=("blue",), queues=("sales",)), [5, 2, 1]),
        (Seen(False, "u9", teams=None, queues=None), [5, 3, 2, 1]),
        (Seen(False, "u9", teams=(), queues=()), []),
        (Seen(False, "u1", teams=(), queues=()), [4]),
    ],
)
async def test_a_reader_sees_the_own_scope_and_the_own_entries(
    trail: TrailStore, seen: Seen, numbers: list[int]
) -> None:
    fields = (
        {"n": 1, "agent": "a1", "team": "blue", "queue": "sales"},
        {"n": 2, "agent": "a2", "team": "blue"},
        {"n": 3, "agent": "a3", "team": "red"},
        {"n": 4, "user_id": "u1"},
        {"n": 5, "agent": "a3", "team": "red", "queue": "sales"},
        {"n": 6, "agent": "unassigned", "queue": "sales"},
    )
    await trail.add("n", lines(chain("n", *fields)))
    assert [entry.fields["n"] for entry in (await trail.page(seen, Filter(), None, 10))[0]] == numbers


async def test_a_long_journal_is_read_in_order(trail: TrailStore) -> None:
    entries = chain("n", *({} for _ in range(1001)))
    await trail.add("n", lines(entries))
    assert [line async for line in trail.lines("n")] == lines(entries)
