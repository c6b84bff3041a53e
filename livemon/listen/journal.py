"""The audit journal of the node behind the port the listening service asks for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from livemon.errors import Refused
from livemon.listen.ports import AuditEvent, AuditValue

log = logging.getLogger(__name__)

WRITE_S: Final = 5.0
"""A disk that takes longer for one line is as good as gone: no journal, no audio."""


class Journal(Protocol):
    """An append-only journal; `append` returns after fsync and raises OSError when it cannot write."""

    def append(self, kind: str, fields: Mapping[str, AuditValue]) -> object:
        """Append one entry."""


class JournalAudit:
    """Writes on one thread of its own, so that order is kept and audio never waits for the disk."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")

    async def record(self, event: AuditEvent) -> None:
        """Write `event`; anything that goes wrong is a refusal."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(WRITE_S):
                await loop.run_in_executor(self._thread, self._journal.append, event.kind, event.fields)
        except Exception as error:  # whatever the journal raises, the answer is the same: no audio
            log.error("audit journal: %s", error)
            raise Refused("audit_unavailable", "The audit record could not be written.", 503) from error

    def close(self) -> None:
        """Let the thread end after what it has been given."""
        self._thread.shutdown(wait=True)
