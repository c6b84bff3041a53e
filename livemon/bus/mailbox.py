"""The waiting messages of one subscription."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from livemon.bus.port import Message


class Mailbox:
    """A `Subscription`: bounded, the oldest message makes room for the newest."""

    def __init__(self, limit: int, on_close: Callable[[], None]) -> None:
        self._waiting: deque[Message] = deque(maxlen=limit)
        self._some = asyncio.Event()
        self._closed = False
        self._on_close = on_close
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Messages this reader lost since it subscribed."""
        return self._dropped

    def put(self, message: Message) -> None:
        """Add a message; never waits."""
        if len(self._waiting) == self._waiting.maxlen:
            self._dropped += 1
        self._waiting.append(message)
        self._some.set()

    def close(self) -> None:
        """End the stream; what waits can still be read."""
        if not self._closed:
            self._closed = True
            self._some.set()
            self._on_close()

    async def get(self) -> Message:
        """Return the next message; raises StopAsyncIteration after `close`."""
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._some.clear()
            await self._some.wait()
        return self._waiting.popleft()

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        return await self.get()
