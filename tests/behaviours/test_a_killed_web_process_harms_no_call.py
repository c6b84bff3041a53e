"""kill -9 of the web process: calls, listening and alerts go on as if nothing had happened.

A call runs through a real bridge and a supervisor hears it. The web process is killed; every packet still arrives at
both phones, the supervisor's sound has no hole, and a dead air that begins while there is no web process is raised on
time by the node. The web process that takes its place shows it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from livemon.bus.messages import AlertView, NodeUpdate
from livemon.bus.port import Subscription
from tests.house import HOST, House, Plan, free_base, house
from tests.listening import tone
from tests.softphone import Call, Softphone

pytestmark = pytest.mark.slow

BASE = free_base(29000, 30000)
AGENT, CUSTOMER = BASE + 70, BASE + 74
SILENCE = b"\xff" * 160
WARN_MS, ALERT_MS = 1500, 2500


@pytest.fixture
async def home() -> AsyncIterator[House]:
    plan = Plan(BASE, phones_route=f"udp:{HOST}:{AGENT}", dead_air_ms=(WARN_MS, ALERT_MS, 60_000))
    async with house(plan) as made:
        yield made


def numbered(name: bytes, at: int) -> bytes:
    """Return a loud packet that says which one it is."""
    return name + b"%05d" % at + tone(440 if name == b"a" else 1000, 160 * at, 154)


async def both_speak(pairs: list[tuple[bytes, Softphone, Call]], seconds: float) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    for at in range(round(seconds * 50)):
        for name, phone, call in pairs:
            phone.speak(call, numbered(name, at), 160 * at)
        await asyncio.sleep(max(0.0, began + 0.02 * (at + 1) - clock()))


async def raised(box: Subscription, kind: str) -> AlertView:
    """Wait for the alert a node raises."""
    async with asyncio.timeout(20):
        while True:
            update = msgspec.msgpack.decode((await box.get()).body, type=NodeUpdate)
            for alert in update.alerts:
                if (alert.rule, alert.severity, alert.state) == ("dead_air", kind, "raised"):
                    return alert


async def kept_dead(home: House) -> None:
    """Kill every web process that takes the place of the last, until cancelled."""
    while True:
        if (pid := home.supervisor.pid("web")) is not None:
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.1)


async def web_says(home: House, line: str) -> None:
    async with asyncio.timeout(30), httpx.AsyncClient() as client:
        while True:
            try:
                if line in (await client.get(f"{home.url}/metrics")).text:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)


async def test_kill_9_of_the_web_process(home: House) -> None:
    server = (HOST, BASE)
    updates = home.bus.subscribe("calls.")
    async with (
        home.desk() as desk,
        Softphone(HOST, AGENT, AGENT + 2, server, "201") as agent,
        Softphone(HOST, CUSTOMER, CUSTOMER + 2, server, "customer") as customer,
    ):
        call = await customer.call(f"sip:201@{HOST}:{BASE}", "X-Queue: orders")
        (theirs,) = agent.calls.values()
        pairs = [(b"c", customer, call), (b"a", agent, theirs)]
        (view,) = await desk.calls(1)
        async with desk.listen(view["id"]) as ears, asyncio.TaskGroup() as group:
            speaking = group.create_task(both_speak(pairs, 3.0))
            await asyncio.sleep(1.0)
            pid = home.supervisor.pid("web")
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await speaking
            await asyncio.sleep(0.2)
            for name, phone in ((b"c", agent), (b"a", customer)):
                assert [one.payload for one in phone.heard] == [numbered(name, at) for at in range(150)]
            # The supervisor's sound comes from the node: no packet of either side is missing.
            for slot, name in ((0, b"a"), (1, b"c")):
                numbers = [int(payload[1:6]) for payload in ears.heard[slot]]
                assert numbers == list(range(numbers[0], 150))
                assert numbers[0] < 50
                assert {payload[:1] for payload in ears.heard[slot]} == {name}
            quiet = [
                group.create_task(phone.talk(one, [SILENCE])) for phone, one in ((customer, call), (agent, theirs))
            ]
            dead = group.create_task(kept_dead(home))
            alert = await raised(updates, "alert")
            dead.cancel()
            assert alert.call == view["id"]
            # It began as a warning; half a second of a loaded machine does not count.
            assert WARN_MS - 100 <= alert.raised_at_ms - alert.since_ms <= WARN_MS + 500
            assert ALERT_MS - 100 <= alert.value_ms <= ALERT_MS + 500
            await web_says(home, "livemon_alerts_active 1")
            assert home.supervisor.restarts["web"] >= 2
            assert [one["id"] for one in await desk.calls(1)] == [view["id"]]
            for one in quiet:
                one.cancel()
        assert await call.bye() == "SIP/2.0 200 OK"
