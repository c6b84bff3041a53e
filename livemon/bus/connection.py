"""One Unix-socket connection that carries frames, the same on both ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from livemon.bus.frames import BadFrame, Deliver, Frame, FrameReader, Publish, encode
from livemon.bus.outbox import Outbox
from sip_bridge.tasks import Tasks

_READ = 256 * 1024
"""Bytes asked for in one read: a full snapshot of 100 calls in one turn."""


class Connection:
    """Reads frames into `on_frame` and writes from a bounded outbox until either end closes."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, on_frame: Callable[[Frame], None]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._on_frame = on_frame
        self._some = asyncio.Event()
        self._tasks = Tasks("bus-connection")
        self.outbox = Outbox()

    def send(self, frame: Frame) -> None:
        """Queue `frame`; messages of topics may be dropped when the other side is slow."""
        data = encode(frame)
        if isinstance(data, BadFrame):
            self.outbox.dropped += 1
            return
        self.outbox.put(data, droppable=isinstance(frame, Deliver | Publish))
        self._some.set()
        if self.outbox.overrun:
            self._writer.transport.abort()

    async def run(self) -> str:
        """Carry frames until the connection ends; return why it ended."""
        self._tasks.start(self._write(), "write")
        try:
            return await self._read()
        except OSError as error:
            return str(error)
        finally:
            await self._tasks.close()
            self._writer.close()

    async def _read(self) -> str:
        frames = FrameReader()
        while data := await self._reader.read(_READ):
            for frame in frames.feed(data):
                if isinstance(frame, BadFrame):
                    return frame.reason
                self._on_frame(frame)
        return "closed by the other side"

    async def _write(self) -> None:
        while not self._writer.is_closing():
            while self.outbox and not self._writer.is_closing():
                self._writer.write(self.outbox.take())
                with suppress(OSError):  # the reading side reports it
                    await self._writer.drain()
            self._some.clear()
            await self._some.wait()
