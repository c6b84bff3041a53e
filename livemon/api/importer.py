"""Brings the lines of all journals into the database: gap-free, once each, however often processes restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from livemon.audit.entry import Head
from livemon.audit.journal import Journal
from livemon.bus.messages import AuditEntries, AuditPull
from livemon.bus.port import Bus
from livemon.errors import LivemonError
from livemon.store.trail import TrailStore

log = logging.getLogger(__name__)

PULL: Final = 500
"""Lines asked for at once: about 200 kB."""
RETRY: Final = 5.0
"""Seconds until a journal that could not be read is asked for again."""
ANCHOR_EVERY: Final = 60.0
"""Seconds between two anchors of the other journals' heads in our own."""


class Importer:
    """Follows the journals of this process and of all nodes."""

    def __init__(self, bus: Bus, journal: Journal, trail: TrailStore) -> None:
        self._bus = bus
        self._journal = journal
        self._trail = trail
        self._news = asyncio.Event()
        self._behind: set[str] = set()
        self._anchored: dict[str, Head] = {}
        self._step = asyncio.Lock()
        self.refused = 0
        """Lines that were not imported because they break a chain: tampering, or a journal that was replaced."""

    def own_news(self) -> None:
        """Tell that this process wrote an entry."""
        self.behind(self._journal.writer)

    def behind(self, writer: str) -> None:
        """Tell that `writer` may have entries that are not in the database."""
        self._behind.add(writer)
        self._news.set()

    async def run(self) -> None:
        """Import for ever."""
        self.own_news()
        while True:
            await self._news.wait()
            self._news.clear()
            for writer in sorted(self._behind):
                self._behind.discard(writer)
                try:
                    async with self._step:
                        await self.catch_up(writer)
                except (LivemonError, SQLAlchemyError, OSError) as error:
                    log.warning("journal of %s not imported, trying again: %s", writer, error)
                    asyncio.get_running_loop().call_later(RETRY, self.behind, writer)

    async def catch_up(self, writer: str) -> None:
        """Import everything `writer` has that the database has not."""
        while True:
            head = await self._trail.head(writer)
            lines = await self._read(writer, head.seq)
            if not lines or not await self._add(writer, lines):
                return

    @asynccontextmanager
    async def paused(self, seconds: float) -> AsyncIterator[None]:
        """Let the import that runs come to its end, for at most `seconds`, and none begin meanwhile.

        A task that is cancelled while SQLite opens leaves a thread behind that speaks to the event loop later.
        """
        try:
            await asyncio.wait_for(self._step.acquire(), seconds)
        except TimeoutError:
            yield  # a node that does not answer
            return
        try:
            yield
        finally:
            self._step.release()

    async def anchor(self) -> None:
        """Write the heads of all other journals into our own, if any of them moved."""
        heads = {
            writer: head for writer, (head, _) in (await self._trail.heads()).items() if writer != self._journal.writer
        }
        if heads and heads != self._anchored:
            await asyncio.to_thread(self._journal.anchor, heads)
            self._anchored = heads
            self.own_news()

    async def _read(self, writer: str, after: int) -> tuple[bytes, ...]:
        if writer == self._journal.writer:
            return await asyncio.to_thread(self._journal.lines_after, after, PULL)
        body = msgspec.msgpack.encode(AuditPull(writer, after, PULL))
        answer = await self._bus.request(f"node.{writer}", "audit.pull", body)
        return msgspec.msgpack.decode(answer, type=AuditEntries).lines

    async def _add(self, writer: str, lines: tuple[bytes, ...]) -> bool:
        result = await self._trail.add(writer, lines)
        if result.problem:
            self.refused += 1
            log.error("journal of %s: import stopped %s", writer, result.problem)
        return result.added > 0 and not result.problem
