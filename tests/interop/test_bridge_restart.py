"""Either process of the bridge may die at once: the call goes on, no packet is lost, and it can be hung up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bridge_process import BridgeProcess
from tests.softphone import Call, Softphone

pytestmark = pytest.mark.slow

SIP, METRICS, CALLER, CALLEE = 23101, 23190, 23110, 23120
ARGUMENTS = [
    "--listen", f"udp:127.0.0.1:{SIP}", "--route", f"127.0.0.1:{CALLEE}", "--phones-side", "route", "--no-tap",
    "--rtp-ports", "23200-23239", "--rtp-host", "127.0.0.1",
]  # fmt: skip


class Scene:
    def __init__(self, bridge: BridgeProcess, customer: Softphone, agent: Softphone) -> None:
        self.bridge = bridge
        self.customer = customer
        self.agent = agent

    async def talk(self) -> tuple[Call, Call]:
        theirs = await self.customer.call(f"sip:agent@127.0.0.1:{SIP}")
        ours = next(iter(self.agent.calls.values()))
        return theirs, ours

    async def speak(self, theirs: Call, ours: Call, packets: int, first: int = 0) -> None:
        """Both speak for `packets` times 20 ms, every payload different."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for at in range(first, first + packets):
            self.customer.speak(theirs, b"c%06d" % at + bytes(153), at * 160)
            self.agent.speak(ours, b"a%06d" % at + bytes(153), at * 160)
            await asyncio.sleep(max(0.0, start + 0.02 * (at - first + 1) - loop.time()))
        await asyncio.sleep(0.1)

    def check(self, packets: int) -> None:
        """Every packet arrived, in order, with one SSRC and no hole in the numbers."""
        for phone, letter in ((self.agent, b"c"), (self.customer, b"a")):
            assert [one.payload[:7] for one in phone.heard] == [letter + b"%06d" % at for at in range(packets)]
            assert len({one.ssrc for one in phone.heard}) == 1
            first = phone.heard[0]
            assert [(one.seq - first.seq) & 0xFFFF for one in phone.heard] == list(range(packets))
            assert [(one.timestamp - first.timestamp) & 0xFFFFFFFF for one in phone.heard] == [
                160 * at for at in range(packets)
            ]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    server = ("127.0.0.1", SIP)
    async with (
        BridgeProcess(ARGUMENTS, METRICS, tmp_path / "bridge.log") as bridge,
        Softphone("127.0.0.1", CALLER, CALLER + 2, server, "customer") as customer,
        Softphone("127.0.0.1", CALLEE, CALLEE + 2, server, "agent") as agent,
    ):
        yield Scene(bridge, customer, agent)


async def test_a_call_passes_with_every_payload_equal(scene: Scene) -> None:
    theirs, ours = await scene.talk()
    await scene.speak(theirs, ours, 50)
    scene.check(50)
    assert (await scene.bridge.figures())["livemon_bridge_calls_active"] == 1
    assert await theirs.bye() == "SIP/2.0 200 OK"
    await asyncio.wait_for(ours.ended.wait(), 2)
    await scene.bridge.until("livemon_bridge_calls_active", 0)
    await scene.bridge.until('livemon_bridge_media_total{kind="legs_open"}', 0, 8)


async def test_control_dies_and_the_call_can_still_be_held_and_hung_up(scene: Scene) -> None:
    theirs, ours = await scene.talk()
    speaking = asyncio.gather(scene.speak(theirs, ours, 100), asyncio.sleep(0.5))
    await asyncio.sleep(0.5)
    await scene.bridge.kill("sip_bridge.control")
    await speaking
    scene.check(100)
    await scene.bridge.until("livemon_bridge_calls_active", 1)
    held = await ours.reinvite("sendonly")
    assert "a=recvonly" in held
    await scene.bridge.until('livemon_bridge_segments{state="hold"}', 1)
    assert await ours.bye() == "SIP/2.0 200 OK"
    await asyncio.wait_for(theirs.ended.wait(), 2)
    await scene.bridge.until("livemon_bridge_calls_active", 0)


async def test_media_dies_and_no_packet_is_lost(scene: Scene) -> None:
    theirs, ours = await scene.talk()
    speaking = asyncio.gather(scene.speak(theirs, ours, 100), asyncio.sleep(0.5))
    await asyncio.sleep(0.5)
    await scene.bridge.kill("sip_bridge.media.host")
    await speaking
    scene.check(100)
    assert await theirs.bye() == "SIP/2.0 200 OK"
    await asyncio.wait_for(ours.ended.wait(), 2)
