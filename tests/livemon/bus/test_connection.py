from __future__ import annotations

import asyncio
from pathlib import Path

from livemon.bus.connection import Connection
from livemon.bus.frames import MAX_FRAME, Answer, Frame, Serve
from sip_bridge.tasks import Tasks


async def test_frames_cross_and_an_oversized_one_is_counted_not_sent(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    got: asyncio.Future[Frame] = loop.create_future()
    tasks = Tasks("test")
    ended: asyncio.Future[str] = loop.create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.set_result(await Connection(reader, writer, got.set_result).run())

    server = await asyncio.start_unix_server(accept, str(tmp_path / "s"))
    end = Connection(*await asyncio.open_unix_connection(str(tmp_path / "s")), got.set_result)
    tasks.start(end.run(), "client")
    end.send(Answer(1, bytes(MAX_FRAME)))
    end.send(Serve("t"))
    assert await got == Serve("t")
    assert end.outbox.dropped == 1
    await tasks.close()
    assert await ended == "closed by the other side"
    server.close()
