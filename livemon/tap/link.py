"""One connection of a bridge, as the node speaks to it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from livemon.tap import messages
from livemon.tap.messages import BadMessage, FromBridge, Hello, Ignored
from sip_bridge.link.wire import BadFrame, TapFrame, WhisperChunk
from sip_bridge.link.wire import decode as decode_frame
from sip_bridge.tasks import Tasks

log = logging.getLogger(__name__)

MAX_WAITING = 2048
"""Messages that may wait for a bridge: a whisper is 50 a second, so a link this far behind is of no use."""
MAX_AUDIO = 25
"""Whisper chunks that may wait: 0.5 s at 20 ms; older speech would be mixed too late to mean anything."""
HELLO_WITHIN = 5.0
"""Seconds for the first message."""
MAX_BAD = 100
"""Messages that cannot be read before the connection is cut: a bridge that is broken, not one bad name in a header."""


class LinkEvents(Protocol):
    """What the node does with what bridges say."""

    def attached(self, link: Link, hello: Hello) -> None:
        """Take in a bridge; must answer with `link.send(messages.welcome(...))`."""

    def message(self, link: Link, message: FromBridge) -> None:
        """Take in a message after `hello`."""

    def frame(self, link: Link, frame: TapFrame) -> None:
        """Take in a tap frame."""

    def detached(self, link: Link) -> None:
        """Take note that the link of an attached bridge has ended."""


class Link:
    """Carries messages both ways; what waits to be sent is bounded."""

    def __init__(self, connection: ServerConnection, events: LinkEvents) -> None:
        self._connection = connection
        self._events = events
        self._waiting: deque[str | bytes] = deque()
        self._audio = 0
        self._some = asyncio.Event()
        self._tasks = Tasks("link")
        self._bad = 0
        self.bridge = ""
        self.dropped = 0
        """Whisper chunks dropped because the link was too slow."""

    def send(self, message: str | bytes) -> None:
        """Queue a message; bytes are whisper audio, whose oldest chunk is dropped first."""
        if isinstance(message, bytes):
            self._audio += 1
            if self._audio > MAX_AUDIO:
                self._waiting.remove(next(item for item in self._waiting if isinstance(item, bytes)))
                self._audio -= 1
                self.dropped += 1
        self._waiting.append(message)
        self._some.set()
        if len(self._waiting) > MAX_WAITING:
            self.abort()

    def abort(self) -> None:
        """Cut the connection at once."""
        self._connection.transport.abort()

    async def run(self) -> None:
        """Carry messages until the connection ends."""
        hello = await self._hello()
        if hello is None:
            return
        self.bridge = hello.bridge
        self._events.attached(self, hello)
        self._tasks.start(self._write(), self.bridge)
        try:
            async for message in self._connection:
                self._take(message)
        except ConnectionClosed as error:
            log.info("link of bridge %s broke: %s", self.bridge, error)
        finally:
            self._events.detached(self)
            await self._tasks.close()

    async def _hello(self) -> Hello | None:
        try:
            first = await asyncio.wait_for(self._connection.recv(), HELLO_WITHIN)
        except TimeoutError:
            await self._connection.close(1008, "no hello")
            return None
        except ConnectionClosed:
            return None
        hello = messages.decode(first) if isinstance(first, str) else BadMessage("binary")
        if isinstance(hello, Hello) and hello.version == messages.VERSION:
            return hello
        reason = f"version {hello.version} is not spoken here" if isinstance(hello, Hello) else "hello expected"
        log.warning("a bridge was refused: %s", reason)
        await self._connection.close(1008, reason)
        return None

    def _take(self, data: str | bytes) -> None:
        item = messages.decode(data) if isinstance(data, str) else decode_frame(data)
        match item:
            case TapFrame():
                self._events.frame(self, item)
            case BadMessage(reason) | BadFrame(reason):
                self._refuse(reason)
            case Ignored(kind):
                log.debug("bridge %s says %s, which is unknown here", self.bridge, kind)
            case Hello() | WhisperChunk():
                self._refuse("not expected here")
            case _:
                self._events.message(self, item)

    def _refuse(self, reason: str) -> None:
        self._bad += 1
        if self._bad <= 10:  # the first ten tell what is wrong; more would only fill the disk
            log.warning("bridge %s sent something unreadable: %s", self.bridge, reason)
        if self._bad > MAX_BAD:
            self.abort()

    async def _write(self) -> None:
        try:
            while True:
                while self._waiting:
                    message = self._waiting.popleft()
                    self._audio -= isinstance(message, bytes)
                    await self._connection.send(message)
                self._some.clear()
                await self._some.wait()
        except ConnectionClosed:
            return  # the reading side reports it
