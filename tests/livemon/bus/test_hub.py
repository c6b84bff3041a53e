from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from livemon.bus.frames import Subscribe, encode
from livemon.bus.hub import Hub
from livemon.bus.local import LocalBus
from livemon.errors import BusTimeout


async def test_only_the_owner_may_connect_and_a_stale_socket_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bus.sock"
    path.parent.mkdir()
    path.write_text("left over")
    hub = Hub(path)
    await hub.start()
    mode = path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    await hub.close()
    assert not path.exists()


async def test_a_client_that_sends_garbage_is_cut_and_others_go_on(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "bus.sock")
    await hub.start()
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "bus.sock"))
    writer.write(b"\xff" * 64)
    assert await reader.read() == b""
    writer.close()
    bus = LocalBus(tmp_path / "bus.sock", "a")
    assert await bus.start()
    box = bus.subscribe("")
    bus.publish("t", b"x")
    assert await box.get() == ("t", b"x")
    await bus.close()
    await hub.close()


async def test_a_client_that_never_reads_loses_the_oldest_messages(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "bus.sock")
    await hub.start()
    frame = encode(Subscribe(1, "t"))
    assert isinstance(frame, bytes)
    _, slow = await asyncio.open_unix_connection(str(tmp_path / "bus.sock"), limit=1)
    slow.write(frame)
    bus = LocalBus(tmp_path / "bus.sock", "a")
    assert await bus.start()
    box = bus.subscribe("t")
    body = bytes(1024 * 1024)
    for _ in range(40):
        bus.publish("t", body)
        await box.get()
    assert hub.dropped() > 0
    slow.close()
    await bus.close()
    await hub.close()


async def test_the_hub_ends_requests_whose_server_sleeps(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "bus.sock")
    await hub.start()
    bus = LocalBus(tmp_path / "bus.sock", "a")
    assert await bus.start()

    async def sleeper(method: str, body: bytes) -> bytes:
        await asyncio.Event().wait()
        return b""

    bus.serve("t", sleeper)
    with pytest.raises(BusTimeout):
        await bus.request("t", "m", b"", timeout=0.01)
    await bus.close()
    await hub.close()
