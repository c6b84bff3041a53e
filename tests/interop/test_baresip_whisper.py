"""A registered baresip phone records what its agent hears: the whisper is in it, and not in what the customer heard.

The phone registers through the bridge to Kamailio and is called, then calls. In both calls a supervisor listens and
whispers by the API a page uses, with a grant and an audit record, and the phone's own recording (baresip's `sndfile`,
behind its decoder) is searched with a matched filter.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.desk import Desk, frames, heard, sweep
from tests.house import HOST, House, Plan, free_base, house
from tests.listening import tone
from tests.softphone import Call, Softphone
from tests.stack import share_found
from tests.telephone_system import Peers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.interop,
    pytest.mark.needs("kamailio", "baresip"),
]

BASE = free_base(24000, 25900)
PBX, PHONE, CUSTOMER = BASE + 70, BASE + 72, BASE + 84


@dataclass
class Scene:
    home: House
    peers: Peers
    customer: Softphone
    desk: Desk


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with house(Plan(BASE, pbx_route=f"udp:{HOST}:{PBX}")) as home, home.desk() as desk:
        peers = Peers(home.folder, PBX, BASE, PHONE, CUSTOMER)
        with peers.kamailio():
            async with Softphone(HOST, CUSTOMER, CUSTOMER + 2, (HOST, PBX), "900") as customer, peers.baresip():
                yield Scene(home, peers, customer, desk)


async def whispered_into(scene: Scene, call: Call) -> None:
    """Whisper for a second into the call that is up, hang up, and look into both recordings."""
    (view,) = await scene.desk.calls(1)
    assert view["agent_id"] == "anna"
    async with asyncio.TaskGroup() as group:
        talking = group.create_task(scene.customer.talk(call, [tone(1000, 160 * n) for n in range(50)]))
        async with scene.desk.listen(view["id"]) as ears:
            await asyncio.sleep(0.5)
            assert (await ears.mode("whisper", 5000)).json()["mode"] == "whisper"
            await ears.speak(frames(sweep()))
            await asyncio.sleep(0.3)
            assert (await ears.state())["whispered_ms"] > 500
            await ears.close()
        await asyncio.sleep(0.5)
        talking.cancel()
    assert await call.bye() == "SIP/2.0 200 OK"
    async with asyncio.timeout(10):
        while (await scene.desk.client.get("/api/calls")).json()["calls"]:
            await asyncio.sleep(0.05)
    # The customer's tone is lowered under the whisper, but it is there.
    assert share_found(scene.peers.recorded(), sweep(), 0.5) >= 0.5
    assert len(heard(scene.customer)) > 8000
    assert share_found(heard(scene.customer), sweep(), 0.5) == 0
    kinds = {row["kind"] for row in await scene.desk.audit(call=view["id"])}
    assert {"listen.start", "listen.mode", "listen.stop"} <= kinds


async def test_the_phone_itself_has_recorded_the_whisper(scene: Scene) -> None:
    inbound = await scene.customer.call(f"sip:201@{HOST}:{PBX}")
    await whispered_into(scene, inbound)
    scene.customer.heard.clear()
    scene.customer.rang.clear()
    await scene.peers.command("dial", f"sip:900@{HOST}:{PBX}")
    await asyncio.wait_for(scene.customer.rang.wait(), 5)
    await whispered_into(scene, next(call for call in scene.customer.calls.values() if call is not inbound))
