"""A bus inside one process, for tests and for tools that need no hub."""

from __future__ import annotations

import asyncio

from livemon.bus.endpoint import Endpoint
from livemon.bus.frames import Frame
from livemon.bus.routing import RoutingTable


class MemoryHub:
    """Joins the endpoints made by `connect` through one routing table."""

    def __init__(self) -> None:
        self._table = RoutingTable()
        self._ends: dict[int, MemoryBus] = {}
        self._next = 0
        self._flushing = False

    def connect(self, name: str = "memory") -> MemoryBus:
        """Return a new endpoint of this hub."""
        self._next += 1
        end = MemoryBus(self, self._next, name)
        self._ends[self._next] = end
        self._table.join(self._next)
        end.attached()
        return end

    def take(self, client: int, frame: Frame) -> None:
        """Route a frame; it arrives in a later turn of the loop, as over a socket."""
        if client not in self._ends:
            return
        self._table.feed(client, frame, asyncio.get_running_loop().time())
        self._schedule()

    def drop(self, client: int) -> None:
        """Forget an endpoint."""
        if self._ends.pop(client, None) is not None:
            self._table.leave(client)
            self._schedule()

    def _schedule(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        for client, frame in self._table.drain():
            if (end := self._ends.get(client)) is not None:
                end.received(frame)


class MemoryBus(Endpoint):
    """One endpoint of a `MemoryHub`."""

    def __init__(self, hub: MemoryHub, number: int, name: str) -> None:
        super().__init__(name)
        self._hub = hub
        self._number = number

    def send(self, frame: Frame) -> None:
        """Give `frame` to the hub."""
        self._hub.take(self._number, frame)

    async def close(self) -> None:
        """Leave the hub."""
        self._hub.drop(self._number)
        await super().close()
