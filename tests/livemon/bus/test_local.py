from __future__ import annotations

from pathlib import Path

from livemon.bus.hub import Hub
from livemon.bus.local import LocalBus


async def test_a_client_finds_a_hub_that_comes_late_and_one_that_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "bus.sock"
    bus = LocalBus(path, "a")
    assert not await bus.start(timeout=0.01)
    box = bus.subscribe("")
    hub = Hub(path)
    await hub.start()
    assert await bus.ready()
    bus.publish("t", b"1", retain=True)
    assert (await box.get()).body == b"1"
    await hub.close()
    again = Hub(path)
    await again.start()
    assert (await box.get()).body == b"1"  # retained, said again on return
    await bus.close()
    await again.close()


async def test_nothing_is_sent_without_a_connection(tmp_path: Path) -> None:
    bus = LocalBus(tmp_path / "no.sock", "a")
    bus.publish("t", b"x")
    assert bus.unsent == 1
    await bus.close()
