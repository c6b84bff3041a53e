import asyncio
import socket
from pathlib import Path

import pytest

from livemon.demo.centre import Centre, scripts, spoken
from livemon.demo.schedule import Schedule
from livemon.demo.voice import Voices
from sip_bridge.hooks import Hop


def test_every_script_of_the_demo_parses() -> None:
    assert {"lost_order", "late_refund", "warranty"} <= set(scripts())


@pytest.mark.slow
async def test_calls_of_both_directions_carry_sound(tmp_path: Path) -> None:
    """Without a bridge between them, phones register at the telephone system itself: the same calls, one hop less."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    schedule = Schedule(6, 3)  # the sixth agent calls out
    voices = Voices(tmp_path, lambda: None)
    centre = Centre("127.0.0.1", Hop("udp", "127.0.0.1", port), port, schedule, spoken(voices))
    running = asyncio.create_task(centre.run(None))  # noqa: TID251 - held and cancelled below
    try:
        async with asyncio.timeout(20):
            while len(live := [one for one in centre.live if one.up and one.customer.ear.packets > 20]) < 6:
                await asyncio.sleep(0.05)
                if running.done():
                    running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await centre.close()
    assert {one.inbound for one in live} == {True, False}
    assert all(one.customer.ear.foreign == 0 and one.agent.ear.foreign == 0 for one in live)
