"""The hub of the local bus: a Unix socket in front of the routing table."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path

from livemon.bus.connection import Connection
from livemon.bus.frames import Frame
from livemon.bus.routing import RoutingTable
from sip_bridge.tasks import Tasks

log = logging.getLogger(__name__)

_SWEEP = 0.25
"""Seconds between looks for requests that ran out of time; askers keep their own exact clock."""


class Hub:
    """Serves the bus on the Unix socket `path`; only this user may connect."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._table = RoutingTable()
        self._connections: dict[int, Connection] = {}
        self._next = 0
        self._server: asyncio.Server | None = None
        self._tasks = Tasks("hub")

    async def start(self) -> None:
        """Listen; a socket file left by a process that died is replaced."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._accept, str(self._path))
        self._path.chmod(0o600)
        self._tasks.start(self._sweep(), "sweep")

    async def close(self) -> None:
        """Cut every connection and stop listening."""
        await self._tasks.close()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        self._path.unlink(missing_ok=True)

    def dropped(self) -> int:
        """Messages that slow clients connected now have lost."""
        return sum(connection.outbox.dropped for connection in self._connections.values())

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.start(self._serve(reader, writer), "client")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._next += 1
        number = self._next
        connection = Connection(reader, writer, partial(self._take, number))
        self._connections[number] = connection
        self._table.join(number)
        try:
            reason = await connection.run()
            log.debug("bus client %d left: %s", number, reason)
        finally:
            del self._connections[number]
            self._table.leave(number)
            self._flush()

    def _take(self, client: int, frame: Frame) -> None:
        self._table.feed(client, frame, asyncio.get_running_loop().time())
        self._flush()

    def _flush(self) -> None:
        for client, frame in self._table.drain():
            if (connection := self._connections.get(client)) is not None:
                connection.send(frame)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            self._table.expire(asyncio.get_running_loop().time())
            self._flush()
