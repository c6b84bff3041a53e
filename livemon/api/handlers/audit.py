"""The audit trail: reading and verifying it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from livemon.api.models import AuditCheck, AuditPage, AuditProblem, AuditRow, AuditWriter
from livemon.api.principals import seen_by
from livemon.api.route import Ask, Reply
from livemon.audit.entry import Entry
from livemon.audit.verify import Report, verify, verify_lines
from livemon.bus.messages import Directory
from livemon.errors import Refused
from livemon.store.records import User
from livemon.store.trail import Cursor, Filter

PAGE = 100
"""Entries of a page, if nothing else is asked for."""
MAX_PAGE = 500


async def entries(ask: Ask) -> Reply:
    """Return a page of entries, newest first; filters: from_ms, to_ms, user, agent, call, kind; before, limit."""
    query = ask.query
    everybody = await ask.web.users.all()
    wanted = Filter(
        _number(query, "from_ms"),
        _number(query, "to_ms"),
        _named(everybody, query.get("user", "")),
        query.get("call") or None,
        query.get("agent") or None,
        query.get("kind") or None,
    )
    limit = min(MAX_PAGE, max(1, _number(query, "limit") or PAGE))
    found, more = await ask.web.trail.page(seen_by(ask.principal), wanted, _cursor(query.get("before", "")), limit)
    following = f"{more.at_ms}:{more.writer}:{more.seq}" if more else ""
    names = _names(everybody, await ask.web.directory.load(0))
    return Reply(AuditPage(tuple(_row(entry, names) for entry in found), following))


async def check(ask: Ask) -> Reply:
    """Verify what the database holds of every writer, and the journals on this machine."""
    heads = await ask.web.trail.heads()
    stored = {writer: [line async for line in ask.web.trail.lines(writer)] for writer in sorted(heads)}
    folder = ask.web.journal.path.parent
    imported, local = await asyncio.gather(
        asyncio.to_thread(verify_lines, stored), asyncio.to_thread(lambda: verify(_journals(folder)))
    )
    problems = _problems("store", imported) + _problems("journal", local)
    problems += tuple(
        AuditProblem(f"import:{writer}", head.seq, "import_stopped", problem)
        for writer, (head, problem) in heads.items()
        if problem
    )
    writers = tuple(
        AuditWriter(done.writer, done.entries, done.head.seq, done.head.hash, heads[done.journal][1])
        for done in imported.journals
    )
    noted = {"ok": not problems, "problems": len(problems)}
    return Reply(AuditCheck(not problems, imported.anchors + local.anchors, writers, problems), noted=noted)


def _journals(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal"))


def _problems(where: str, report: Report) -> tuple[AuditProblem, ...]:
    return tuple(
        AuditProblem(**{**asdict(problem), "journal": f"{where}:{problem.journal}"}) for problem in report.problems
    )


def _named(everybody: Iterable[User], text: str) -> tuple[str, ...] | None:
    """Return the ids of who is meant by `text` (an id, a sign-in name or a part of a name), None for everybody."""
    if not text:
        return None
    part = text.casefold()
    found = [user.id for user in everybody if part == user.login or part in user.name.casefold()]
    # A user who was removed is still in the trail, by id.
    return (*found, text)


@dataclass(frozen=True, slots=True)
class _Names:
    users: Mapping[str, str]
    agents: Mapping[str, str]
    queues: Mapping[str, str]


def _names(everybody: Iterable[User], directory: Directory) -> _Names:
    return _Names(
        {user.id: user.name for user in everybody},
        {agent.id: agent.name for agent in directory.agents},
        {queue.id: queue.name for queue in directory.queues},
    )


def _row(entry: Entry, names: _Names) -> AuditRow:
    def name(known: Mapping[str, str], member: str) -> str:
        return known.get(str(entry.fields.get(member, "")), "")

    return AuditRow(
        entry.writer,
        entry.seq,
        entry.at_ms,
        entry.kind,
        dict(entry.fields),
        entry.hash,
        name(names.users, "user"),
        name(names.agents, "agent"),
        name(names.queues, "queue"),
    )


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    # 15 digits: the year 33658, and still an exact number in every browser.
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Refused("bad_query", f"{name} is not a number", 422)
    return int(text)


def _cursor(text: str) -> Cursor | None:
    if not text:
        return None
    at_ms, _, rest = text.partition(":")
    writer, _, seq = rest.rpartition(":")
    if not (at_ms.isascii() and at_ms.isdigit() and seq.isascii() and seq.isdigit() and len(text) <= 128):
        raise Refused("bad_query", "before is not the next of a page", 422)
    return Cursor(int(at_ms), writer, int(seq))
