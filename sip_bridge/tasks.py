"""Named asyncio tasks that are held, and whose death is reported."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


class Tasks:
    """The tasks of one owner: each has a name, none is lost, all end with `close`."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._held: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start `coroutine` under `name`; an exception that ends it is logged with that name."""
        task = asyncio.create_task(coroutine, name=f"{self._owner}:{name}")  # noqa: TID251 - the one place
        self._held.add(task)
        task.add_done_callback(self._done)
        return task

    def __len__(self) -> int:
        return len(self._held)

    async def close(self) -> None:
        """Cancel every task and wait until all have ended."""
        for task in list(self._held):
            task.cancel()
        await asyncio.gather(*self._held, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._held.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task %s died", task.get_name(), exc_info=error)
