from __future__ import annotations

import asyncio

import pytest

from livemon.bus.mailbox import Mailbox
from livemon.bus.port import Message


async def test_a_waiting_reader_wakes_for_a_message_and_for_the_end() -> None:
    closed: list[bool] = []
    box = Mailbox(2, lambda: closed.append(True))

    async def write() -> None:
        box.put(Message("t", b"1"))
        await asyncio.sleep(0)
        box.close()

    async def read() -> list[Message]:
        return [message async for message in box]

    got, _ = await asyncio.gather(read(), write())
    assert got == [("t", b"1")]
    assert closed == [True]
    with pytest.raises(StopAsyncIteration):
        await box.get()


def test_the_oldest_makes_room() -> None:
    box = Mailbox(1, lambda: None)
    box.put(Message("t", b"1"))
    box.put(Message("t", b"2"))
    assert box.dropped == 1
