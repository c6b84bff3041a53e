"""The node's audit journal as an asyncio shell: what gates audio waits for the disk, everything else does not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from livemon.audit.entry import Entry, parse
from livemon.audit.journal import Journal
from livemon.audit.orphans import LOST, Orphans
from livemon.bus.messages import AuditEntries, AuditPull
from livemon.errors import Refused
from livemon.listen.ports import AuditEvent
from livemon.node.ports import Fact
from livemon.reasons import NODE_LOST
from sip_bridge.tasks import Tasks

log = logging.getLogger(__name__)

MAX_NOTES = 1000
"""Facts that may wait for the disk; a disk this far behind has failed, and the log says so."""
WRITE_S = 5.0
"""A disk that takes longer for one line is as good as gone."""


class NodeAudit:
    """Implements `AuditPort` and `Trail` over one `Journal`; fsync runs in a thread of its own."""

    def __init__(self, journal: Journal, publish: Callable[[AuditEntries], None]) -> None:
        self._journal = journal
        self._publish = publish
        # One thread: entries reach the file in the order they were asked for.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._tasks = Tasks("audit")
        self.lost_notes = 0

    async def record(self, event: AuditEvent) -> None:
        """Return only after the event is on disk; raises Refused `audit_unavailable` if it cannot be."""
        await self._append(event.kind, dict(event.fields))

    def note(self, kind: str, fields: Mapping[str, Fact]) -> None:
        """Write a fact that gates nothing, soon."""
        if len(self._tasks) >= MAX_NOTES:
            self.lost_notes += 1
            log.error("audit fact %s is lost: the disk does not keep up", kind)
            return
        self._tasks.start(self._note(kind, dict(fields)), kind)

    async def close_lost(self, heard: Mapping[str, float]) -> int:
        """Close the records of sessions that died with an earlier life of this node; return how many.

        `heard` is what the checkpoint last knew of the seconds heard; of others they are unknown.
        """
        loop = asyncio.get_running_loop()
        orphans, last = Orphans(), 0
        # What this life writes comes after the head of now and is not looked at.
        until = self._journal.head.seq
        while last < until:
            lines = await loop.run_in_executor(self._thread, self._journal.lines_after, last, min(until - last, 2000))
            # A line that cannot be read has no number; the last good one says how far this has come.
            after = next((entry.seq for line in reversed(lines) if isinstance(entry := parse(line), Entry)), last)
            if after == last:
                break
            orphans.feed(lines)
            last = after
        for session, fields in orphans.left.items():
            await self._note(LOST, {**fields, "reason": NODE_LOST, "heard_s": heard.get(session)})
        return len(orphans.left)

    async def pull(self, request: AuditPull) -> AuditEntries:
        """Return journal lines for the import."""
        if request.writer != self._journal.writer:
            raise Refused("no_such_writer", f"this node writes {self._journal.writer}", 404)
        loop = asyncio.get_running_loop()
        lines = await loop.run_in_executor(
            self._thread, self._journal.lines_after, request.after, max(1, min(request.limit, 5000))
        )
        return AuditEntries(self._journal.writer, lines)

    async def close(self) -> None:
        """Wait for what is being written and release the file."""
        await asyncio.sleep(0)  # facts noted in this turn reach the thread
        await asyncio.to_thread(self._thread.shutdown)
        await asyncio.sleep(0)
        await self._tasks.close()
        self._journal.close()

    async def _note(self, kind: str, fields: dict[str, Any]) -> None:
        try:
            await self._append(kind, fields)
        except Refused as error:
            self.lost_notes += 1
            log.error("audit fact %s is lost: %s", kind, error.text)

    async def _append(self, kind: str, fields: dict[str, Any]) -> None:
        append = partial(self._journal.append, kind, fields)
        try:
            async with asyncio.timeout(WRITE_S):
                entry = await asyncio.get_running_loop().run_in_executor(self._thread, append)
        except Refused:
            raise
        except Exception as error:  # whatever went wrong, the answer is the same: no record, no audio
            log.error("audit journal: %s", error)
            raise Refused("audit_unavailable", "the audit record could not be written", 503) from error
        self._publish(AuditEntries(self._journal.writer, (entry.line,)))
