"""What every bus must do: each test runs once per implementation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from livemon.bus.hub import Hub
from livemon.bus.local import LocalBus
from livemon.bus.memory import MemoryHub
from livemon.bus.port import MAX_BODY, Bus, Message
from livemon.errors import BusError, BusTimeout, Refused, RemoteError

Connect = Callable[[str], Awaitable[Bus]]


@pytest.fixture(params=["memory", "local"])
async def connect(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:
        memory = MemoryHub()
        hub = Hub(tmp_path / "bus.sock")
        if request.param == "local":
            await hub.start()
            stack.push_async_callback(hub.close)

        async def make(name: str) -> Bus:
            if request.param == "memory":
                bus: Bus = memory.connect(name)
            else:
                local = LocalBus(tmp_path / "bus.sock", name)
                assert await local.start()
                bus = local
            stack.push_async_callback(bus.close)
            return bus

        yield make


async def settled(bus: Bus) -> None:
    """A request that nobody answers comes back after everything this process sent before it."""
    with pytest.raises(RemoteError):
        await bus.request("nobody", "", b"")


async def test_messages_arrive_in_order_by_prefix(connect: Connect) -> None:
    a, b = await connect("a"), await connect("b")
    assert a.connected
    box = b.subscribe("calls.")
    await settled(b)
    a.publish("other", b"0")
    for n in range(5):
        a.publish("calls.x", bytes([n]))
    assert [await box.get() for _ in range(5)] == [Message("calls.x", bytes([n])) for n in range(5)]


async def test_a_publisher_hears_itself(connect: Connect) -> None:
    a = await connect("a")
    box = a.subscribe("")
    a.publish("t", b"x")
    assert await box.get() == ("t", b"x")


async def test_a_retained_message_waits_for_a_late_subscriber(connect: Connect) -> None:
    a, b = await connect("a"), await connect("b")
    a.publish("directory", b"1", retain=True)
    a.publish("directory", b"2", retain=True)
    await settled(a)
    assert await b.subscribe("directory").get() == ("directory", b"2")


async def test_a_slow_reader_loses_the_oldest_and_is_told(connect: Connect) -> None:
    a = await connect("a")
    box = a.subscribe("", limit=2)
    for n in range(5):
        a.publish("t", bytes([n]))
    await settled(a)
    assert box.dropped == 3
    assert [(await box.get()).body, (await box.get()).body] == [b"\x03", b"\x04"]


async def test_a_closed_subscription_ends_its_iteration(connect: Connect) -> None:
    a = await connect("a")
    box = a.subscribe("")
    a.publish("t", b"x")
    await settled(a)
    box.close()
    box.close()
    assert [message async for message in box] == [("t", b"x")]
    a.publish("t", b"y")
    await settled(a)
    assert [message async for message in box] == []


async def test_a_request_is_answered(connect: Connect) -> None:
    a, b = await connect("a"), await connect("b")

    async def handler(method: str, body: bytes) -> bytes:
        return method.encode() + body

    b.serve("node.b", handler)
    await settled(b)
    assert await a.request("node.b", "m", b"-x") == b"m-x"
    assert await asyncio.gather(*(a.request("node.b", str(n), b"") for n in range(20))) == [
        str(n).encode() for n in range(20)
    ]


async def test_refusals_keep_their_id_and_accidents_hide_their_text(connect: Connect) -> None:
    a = await connect("a")

    async def handler(method: str, body: bytes) -> bytes:
        if method == "refuse":
            raise Refused("not_yours", "not your call")
        raise ValueError("secret")

    a.serve("t", handler)
    with pytest.raises(RemoteError) as refused:
        await a.request("t", "refuse", b"")
    assert (refused.value.id, refused.value.text) == ("not_yours", "not your call")
    with pytest.raises(RemoteError) as broken:
        await a.request("t", "break", b"")
    assert broken.value.id == "internal"
    assert "secret" not in broken.value.text


async def test_a_silent_server_costs_the_timeout(connect: Connect) -> None:
    a = await connect("a")

    async def handler(method: str, body: bytes) -> bytes:
        await asyncio.Event().wait()
        return b""

    a.serve("t", handler)
    with pytest.raises(BusTimeout):
        await a.request("t", "m", b"", timeout=0.05)


async def test_nobody_serves_the_target(connect: Connect) -> None:
    a = await connect("a")
    with pytest.raises(RemoteError) as error:
        await a.request("nobody", "m", b"")
    assert error.value.id == "no_such_target"


async def test_the_end_of_a_server_fails_its_requests_at_once(connect: Connect) -> None:
    a, b = await connect("a"), await connect("b")
    asked = asyncio.Event()

    async def handler(method: str, body: bytes) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    b.serve("t", handler)
    await settled(b)

    async def close() -> None:
        await asked.wait()
        await b.close()

    with pytest.raises(RemoteError) as error:
        await asyncio.gather(a.request("t", "m", b"", timeout=5), close())
    assert error.value.id == "target_gone"


async def test_bodies_up_to_the_limit_pass_and_larger_ones_are_refused(connect: Connect) -> None:
    a = await connect("a")
    box = a.subscribe("")
    body = bytes(MAX_BODY - 1024)
    a.publish("t", body)
    assert (await box.get()).body == body
    with pytest.raises(BusError):
        a.publish("t", bytes(MAX_BODY))
    with pytest.raises(BusError):
        await a.request("t", "m", bytes(MAX_BODY))


async def test_after_close_nothing_works_and_nothing_hangs(connect: Connect) -> None:
    a = await connect("a")
    box = a.subscribe("")
    await a.close()
    assert not a.connected
    assert [message async for message in box] == []
    a.publish("t", b"x")
    with pytest.raises(BusError):
        await a.request("t", "m", b"", timeout=0.05)
