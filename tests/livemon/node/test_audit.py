from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from livemon.audit.entry import Entry, parse
from livemon.audit.journal import Journal
from livemon.bus.messages import AuditEntries, AuditPull
from livemon.errors import Refused
from livemon.listen.ports import AuditEvent
from livemon.node import audit as module
from livemon.node.audit import NodeAudit


class Broken(Journal):
    """A journal on a disk that fails in the way that is asked for."""

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(path, "node-0")
        self._error = error

    def append(self, kind: str, fields: Mapping[str, Any]) -> Entry:
        raise self._error


def test_events_and_facts_are_on_disk_in_order_and_published(tmp_path: Path) -> None:
    published: list[AuditEntries] = []

    async def play() -> None:
        audit = NodeAudit(Journal(tmp_path / "j", "node-0"), published.append)
        await audit.record(AuditEvent("listen.start", {"call": "i1"}))
        assert b"listen.start" in (tmp_path / "j").read_bytes()
        audit.note("call.origin", {"leg": 8})
        pulled = await audit.pull(AuditPull("node-0", 0, 0))
        assert len(pulled.lines) == 1
        with pytest.raises(Refused):
            await audit.pull(AuditPull("other", 0))
        await audit.close()

    asyncio.run(play())
    assert (tmp_path / "j").read_bytes().splitlines() == [line for entries in published for line in entries.lines]
    assert len(published) == 2


@pytest.mark.parametrize("error", [Refused("audit_unavailable", "full", 503), OSError("disk"), ValueError("too long")])
async def test_whatever_goes_wrong_is_a_refusal_and_a_lost_fact_is_counted(error: Exception, tmp_path: Path) -> None:
    audit = NodeAudit(Broken(tmp_path / "j", error), lambda entries: None)
    with pytest.raises(Refused) as refused:
        await audit.record(AuditEvent("listen.start", {}))
    assert refused.value.id == "audit_unavailable"
    audit.note("call.origin", {})
    await audit.close()
    assert audit.lost_notes == 1


class Hanging(Journal):
    """A journal on a disk that answers only when it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "node-0")
        self.open = threading.Event()

    def append(self, kind: str, fields: Mapping[str, Any]) -> Entry:
        self.open.wait()
        return super().append(kind, fields)


async def test_a_disk_that_hangs_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_S", 0.02)
    journal = Hanging(tmp_path / "j")
    audit = NodeAudit(journal, lambda entries: None)
    with pytest.raises(Refused, match="audit_unavailable"):
        await audit.record(AuditEvent("k", {}))
    journal.open.set()
    await audit.close()


async def test_facts_that_wait_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NOTES", 1)
    audit = NodeAudit(Journal(tmp_path / "j", "node-0"), lambda entries: None)
    audit.note("a", {})
    audit.note("b", {})
    assert audit.lost_notes == 1
    await audit.close()


async def test_sessions_of_an_earlier_life_are_closed_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", "node-0")
    for session in ("a", "b", "c"):
        journal.append("listen.start", {"session": session, "user": "u1", "call": "i1"})
    journal.append("listen.stop", {"session": "b"})
    audit = NodeAudit(journal, lambda entries: None)
    assert await audit.close_lost({"a": 12.5}) == 2
    written = [parse(line) for line in journal.lines_after(4)]
    assert all(isinstance(entry, Entry) and entry.kind == "listen.lost" for entry in written)
    fields = [entry.fields for entry in written if isinstance(entry, Entry)]
    assert [(one["session"], one["heard_s"], one["reason"]) for one in fields] == [
        ("a", 12.5, "node_lost"),
        ("c", None, "node_lost"),
    ]
    assert await audit.close_lost({}) == 0
    await audit.close()
