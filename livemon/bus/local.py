"""The local bus: one process's connection to the hub, taken up again whenever it breaks."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from livemon.bus.connection import Connection
from livemon.bus.endpoint import Endpoint
from livemon.bus.frames import Frame

log = logging.getLogger(__name__)

_RETRY = 0.2
"""Seconds between attempts to reach the hub: it is on this machine, and a board may be stale for 3 s at most."""


class LocalBus(Endpoint):
    """A `Bus` over the hub's Unix socket."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(name)
        self._path = path
        self._connection: Connection | None = None

    async def start(self, timeout: float = 5.0) -> bool:
        """Begin to connect; returns whether the hub was there within `timeout` seconds (it goes on trying)."""
        self._tasks.start(self._stay_connected(), "connect")
        return await self.ready(timeout)

    def send(self, frame: Frame) -> None:
        """Queue `frame` for the hub."""
        if self._connection is not None:
            self._connection.send(frame)

    async def close(self) -> None:
        """Leave the bus."""
        self._connection = None
        await super().close()

    async def _stay_connected(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self._path))
            except OSError:
                await asyncio.sleep(_RETRY)
                continue
            self._connection = Connection(reader, writer, self.received)
            self.attached()
            reason = await self._connection.run()
            self._connection = None
            self.detached()
            log.warning("the bus went away: %s", reason)
