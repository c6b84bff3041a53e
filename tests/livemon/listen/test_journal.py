"""The audit port over a journal."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from livemon.errors import Refused
from livemon.listen import journal as module
from livemon.listen.journal import JournalAudit
from livemon.listen.ports import AuditEvent, AuditValue


class Paper:
    def __init__(self) -> None:
        self.lines: list[tuple[str, Mapping[str, AuditValue], str]] = []
        self.error: Exception | None = None
        self.open = threading.Event()
        self.open.set()

    def append(self, kind: str, fields: Mapping[str, AuditValue]) -> None:
        self.open.wait()
        if self.error is not None:
            raise self.error
        self.lines.append((kind, fields, threading.current_thread().name))


async def test_records_are_written_in_order_off_the_loop() -> None:
    paper = Paper()
    audit = JournalAudit(paper)
    for n in range(5):
        await audit.record(AuditEvent(f"k{n}", {"n": n}))
    audit.close()
    assert [(kind, fields["n"]) for kind, fields, _ in paper.lines] == [(f"k{n}", n) for n in range(5)]
    assert {name for _, _, name in paper.lines} == {"audit_0"}


@pytest.mark.parametrize("error", [OSError("disk full"), ValueError("chain broken")])
async def test_any_failure_is_a_refusal(error: Exception) -> None:
    paper = Paper()
    paper.error = error
    audit = JournalAudit(paper)
    with pytest.raises(Refused) as refused:
        await audit.record(AuditEvent("k", {}))
    assert (refused.value.id, refused.value.status) == ("audit_unavailable", 503)
    audit.close()


async def test_a_disk_that_hangs_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_S", 0.02)
    paper = Paper()
    paper.open.clear()
    audit = JournalAudit(paper)
    with pytest.raises(Refused, match="audit_unavailable"):
        await audit.record(AuditEvent("k", {}))
    paper.open.set()
    audit.close()
