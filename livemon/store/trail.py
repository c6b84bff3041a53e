"""Audit entries in the database: imported from journals, gap-free and once each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from livemon.audit.entry import GENESIS, BadLine, Entry, Head, follows, parse
from livemon.calls.access import UNASSIGNED
from livemon.store.engine import Store
from livemon.store.records import Seen
from livemon.store.tables import audit_entries, audit_heads

_PAGE: Final = 1000
"""Lines read at once while a whole journal is verified: a few hundred kB of memory."""
# Names under which writers put what the list can be filtered by; the first one that is there counts.
_FIELDS: Final = {
    "user_id": ("user_id", "user"),
    "call_id": ("call", "call_id"),
    "agent_id": ("agent", "agent_id"),
    "team": ("team",),
    "queue": ("queue",),
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list, newest first: entries before it come next."""

    at_ms: int
    writer: str
    seq: int


@dataclass(frozen=True, slots=True)
class Filter:
    """What to list; None means any."""

    from_ms: int | None = None
    to_ms: int | None = None
    users: tuple[str, ...] | None = None
    """Ids; entries of any of them."""
    call_id: str | None = None
    agent_id: str | None = None
    kind: str | None = None
    """A kind, or with a dot at the end all kinds that begin so."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: the head now, how many entries were new, and why it stopped ("" if it did not)."""

    head: Head
    added: int
    problem: str = ""


class TrailStore:
    """The audit trail of all writers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def head(self, writer: str) -> Head:
        """Return the newest entry that was imported from `writer`."""
        async with self._store.read() as connection:
            return await _head(connection, writer)

    async def heads(self) -> dict[str, tuple[Head, str]]:
        """Return the head and the problem (or "") of every writer."""
        async with self._store.read() as connection:
            rows = (await connection.execute(select(audit_heads))).all()
        return {row.writer: (Head(row.seq, row.hash), row.problem) for row in rows}

    async def add(self, writer: str, lines: Sequence[bytes]) -> Imported:
        """Add the lines that follow what is known; lines known already are skipped, a gap or a bad line stops it."""
        async with self._store.write() as connection:
            start = await _head(connection, writer)
            fresh, problem = _chain(writer, start, lines)
            head = fresh[-1].head if fresh else start
            if fresh:
                await connection.execute(insert(audit_entries), [_row(entry) for entry in fresh])
            await _set_head(connection, writer, head, problem)
        return Imported(head, len(fresh), problem)

    async def page(
        self, seen: Seen, wanted: Filter, before: Cursor | None, limit: int
    ) -> tuple[list[Entry], Cursor | None]:
        """Return at most `limit` entries, newest first, and where the next page starts (None after the last)."""
        query = (
            select(audit_entries.c.line)
            .where(*_conditions(seen, wanted, before))
            .order_by(audit_entries.c.at_ms.desc(), audit_entries.c.writer.desc(), audit_entries.c.seq.desc())
            .limit(limit + 1)
        )
        async with self._store.read() as connection:
            lines = list((await connection.execute(query)).scalars())
        found = [entry for line in lines[:limit] if isinstance(entry := parse(line), Entry)]
        more = len(lines) > limit and found
        return found, Cursor(found[-1].at_ms, found[-1].writer, found[-1].seq) if more else None

    async def lines(self, writer: str) -> AsyncIterator[bytes]:
        """Yield every stored line of `writer` in order."""
        after = 0
        while True:
            query = (
                select(audit_entries.c.seq, audit_entries.c.line)
                .where(audit_entries.c.writer == writer, audit_entries.c.seq > after)
                .order_by(audit_entries.c.seq)
                .limit(_PAGE)
            )
            async with self._store.read() as connection:
                rows = (await connection.execute(query)).all()
            for row in rows:
                yield row.line
            if len(rows) < _PAGE:
                return
            after = rows[-1].seq


def _chain(writer: str, start: Head, lines: Sequence[bytes]) -> tuple[list[Entry], str]:
    head, fresh = start, list[Entry]()
    for line in lines:
        entry = parse(line)
        if isinstance(entry, BadLine):
            return fresh, f"after {head.seq}: {entry.reason}"
        if entry.writer != writer:
            return fresh, f"after {head.seq}: written by {entry.writer}"
        if entry.seq <= start.seq and not fresh:
            if entry.seq == start.seq and entry.hash != start.hash:
                return fresh, f"entry {entry.seq} is not the one that was imported before"
            continue
        if wrong := follows(entry, head):
            return fresh, f"after {head.seq}: {wrong}"
        fresh.append(entry)
        head = entry.head
    return fresh, ""


def _row(entry: Entry) -> dict[str, Any]:
    row: dict[str, Any] = {
        "writer": entry.writer,
        "seq": entry.seq,
        "at_ms": entry.at_ms,
        "kind": entry.kind[:64],
        "line": entry.line,
    }
    for column, names in _FIELDS.items():
        found = (entry.fields[name] for name in names if isinstance(entry.fields.get(name), str))
        row[column] = next(found, "")[:64]
    return row


def _conditions(seen: Seen, wanted: Filter, before: Cursor | None) -> list[ColumnElement[bool]]:
    table = audit_entries.c
    conditions = [
        column == value
        for column, value in (
            (table.call_id, wanted.call_id),
            (table.agent_id, wanted.agent_id),
        )
        if value is not None
    ]
    if wanted.users is not None:
        conditions.append(table.user_id.in_(wanted.users))
    if wanted.kind is not None:
        whole = not wanted.kind.endswith(".")
        conditions.append(table.kind == wanted.kind if whole else table.kind.startswith(wanted.kind, autoescape=True))
    if wanted.from_ms is not None:
        conditions.append(table.at_ms >= wanted.from_ms)
    if wanted.to_ms is not None:
        conditions.append(table.at_ms < wanted.to_ms)
    if before is not None:
        conditions.append(
            or_(
                table.at_ms < before.at_ms,
                and_(table.at_ms == before.at_ms, table.writer < before.writer),
                and_(table.at_ms == before.at_ms, table.writer == before.writer, table.seq < before.seq),
            )
        )
    if not seen.everything:
        conditions.append(or_(table.user_id == seen.user_id, _in_scope(seen)))
    return conditions


def _in_scope(seen: Seen) -> ColumnElement[bool]:
    # The rule of livemon.calls.access.in_scope. An entry that names no team and no queue (a sign-in, a changed user)
    # is for an all-seeing reader alone: it may be about anybody.
    table = audit_entries.c
    if seen.teams is None and seen.queues is None:
        return and_(table.agent_id.not_in(("", UNASSIGNED)), or_(table.team != "", table.queue != ""))
    in_team = and_(table.team != "", table.team.in_(seen.teams or ()))
    in_queue = and_(table.queue != "", table.queue.in_(seen.queues or ()))
    return and_(table.agent_id != UNASSIGNED, or_(in_team, in_queue))


async def _head(connection: AsyncConnection, writer: str) -> Head:
    row = (await connection.execute(select(audit_heads).where(audit_heads.c.writer == writer))).one_or_none()
    return Head(0, GENESIS) if row is None else Head(row.seq, row.hash)


async def _set_head(connection: AsyncConnection, writer: str, head: Head, problem: str) -> None:
    values = {"seq": head.seq, "hash": head.hash, "problem": problem}
    changed = await connection.execute(update(audit_heads).where(audit_heads.c.writer == writer).values(**values))
    if changed.rowcount == 0:
        await connection.execute(insert(audit_heads).values(writer=writer, **values))
