from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.asyncio.server import ServerConnection, unix_serve
from websockets.exceptions import ConnectionClosed

from livemon.tap import link as link_module
from livemon.tap import messages
from livemon.tap.link import MAX_AUDIO, Link
from livemon.tap.messages import FromBridge, Hello
from sip_bridge.link.wire import TapFrame, WhisperChunk, decode, whisper_frame

HELLO = '{"t":"hello","version":1,"bridge":"b1","boot":"x","mono_ns":1,"utc_ms":1}'


Pair = tuple[Link, ClientConnection, Callable[[], Awaitable[None]]]


class Events:
    def __init__(self) -> None:
        self.got: list[FromBridge] = []
        self.ended = False

    def attached(self, link: Link, hello: Hello) -> None:
        link.send(messages.welcome("n", None))

    def message(self, link: Link, message: FromBridge) -> None:
        self.got.append(message)

    def frame(self, link: Link, frame: TapFrame) -> None:
        raise AssertionError("no frames here")

    def detached(self, link: Link) -> None:
        self.ended = True


@asynccontextmanager
async def pair(
    folder: Path, events: Events
) -> AsyncIterator[tuple[Link, ClientConnection, Callable[[], Awaitable[None]]]]:
    made: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def accept(connection: ServerConnection) -> None:
        link = Link(connection, events)
        made.set_result(link)
        try:
            await link.run()
        finally:
            over.set()

    async def ended() -> None:
        await asyncio.wait_for(over.wait(), 3)

    server = await unix_serve(accept, str(folder / "s"), compression=None)
    async with server, unix_connect(str(folder / "s")) as client:
        yield await made, client, ended


async def test_the_oldest_audio_is_dropped_and_commands_are_kept(tmp_path: Path) -> None:
    async with pair(tmp_path, Events()) as (link, client, _):
        await client.send(HELLO)
        await client.recv()
        link.send(messages.revoke(1))
        for number in range(MAX_AUDIO + 2):
            link.send(whisper_frame(WhisperChunk(1, number, 0, b"\xff" * 160)))
        assert link.dropped == 2
        got = [await client.recv() for _ in range(MAX_AUDIO + 1)]
        assert isinstance(got[0], str)
        first = decode(got[1]) if isinstance(got[1], bytes) else None
        assert isinstance(first, WhisperChunk)
        assert first.seq == 2


async def test_a_bridge_that_does_not_read_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "MAX_WAITING", 3)
    events = Events()
    async with pair(tmp_path, events) as (link, client, ended):
        await client.send(HELLO)
        await client.recv()
        for number in range(5):
            link.send(messages.revoke(number))
        await ended()
        assert events.ended


async def test_a_few_unreadable_messages_are_survived_and_many_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "MAX_BAD", 12)
    events = Events()
    async with pair(tmp_path, events) as (_, client, ended):
        await client.send(HELLO)
        for bad in (HELLO, whisper_frame(WhisperChunk(1, 1, 1, b"")), b"\x00", "nonsense"):
            await client.send(bad)
        await client.send('{"t":"announced"}')
        await client.recv()
        with pytest.raises(ConnectionClosed):
            for _ in range(20):
                await client.send("nonsense")
                await asyncio.sleep(0)
            await client.recv()
        await ended()
        assert events.got == [messages.Announced()]
        assert events.ended


async def test_silence_instead_of_hello_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "HELLO_WITHIN", 0.01)
    async with pair(tmp_path, Events()) as (_, client, ended):
        with pytest.raises(ConnectionClosed):
            await client.recv()
        await ended()


async def test_a_connection_that_ends_before_hello(tmp_path: Path) -> None:
    events = Events()
    async with pair(tmp_path, events) as (_, client, ended):
        await client.close()
        await ended()
        assert not events.ended
