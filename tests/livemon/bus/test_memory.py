from __future__ import annotations

from livemon.bus.frames import Publish
from livemon.bus.memory import MemoryHub


async def test_a_closed_end_is_out_of_the_hub() -> None:
    hub = MemoryHub()
    a, b = hub.connect("a"), hub.connect("b")
    box = b.subscribe("")
    await a.close()
    await a.close()
    a.send(Publish("t", b"lost", False))
    b.publish("t", b"x")
    assert await box.get() == ("t", b"x")
