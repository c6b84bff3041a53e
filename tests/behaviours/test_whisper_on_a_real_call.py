"""A supervisor on a real call: what is whispered, when it is refused, and what the audit trail says of it.

Bridge, node and web are processes of their own, the phones share no code with them, and the supervisor uses nothing
but the API and the WebSocket a page has. Whisper reaches the agent while both talk and while the customer holds, is
refused with the reason while the agent holds or has two lines, and never reaches the customer. Right after the
session the trail says who heard whom, how, and for how many seconds.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
import pytest
import pytest_asyncio

from livemon.demo.track import Samples
from sip_bridge.media.g711 import Law, decode
from tests.desk import Desk, frames, heard, sweep
from tests.house import HOST, House, Plan, free_base, house
from tests.listening import tone
from tests.softphone import Call, Softphone
from tests.stack import dominant_hz, share_found

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

BASE = free_base(27000, 29000)
AGENT_HZ, CUSTOMER_HZ = 440, 1000
CUSTOMERS = itertools.cycle(range(BASE + 80, BASE + 98, 4))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home() -> AsyncIterator[House]:
    async with house(Plan(BASE, phones_route=f"udp:{HOST}:{BASE + 70}")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def agent() -> AsyncIterator[Softphone]:
    async with Softphone(HOST, BASE + 70, BASE + 72, (HOST, BASE), "201") as phone:
        yield phone


@dataclass
class Side:
    """One phone in one call, speaking its tone all the time."""

    phone: Softphone
    call: Call

    @property
    def samples(self) -> Samples:
        """Return what this phone has heard."""
        return heard(self.phone)


@asynccontextmanager
async def talking(agent: Softphone) -> AsyncIterator[tuple[Side, Side]]:
    """A customer calls the agent, and both speak."""
    port = next(CUSTOMERS)
    async with Softphone(HOST, port, port + 2, (HOST, BASE), "customer") as customer:
        ours = await customer.call(f"sip:201@{HOST}:{BASE}")
        theirs = list(agent.calls.values())[-1]
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(customer.talk(ours, [tone(CUSTOMER_HZ, 160 * n) for n in range(50)])),
                group.create_task(agent.talk(theirs, [tone(AGENT_HZ, 160 * n) for n in range(50)])),
            ]
            try:
                yield Side(agent, theirs), Side(customer, ours)
            finally:
                for task in tasks:
                    task.cancel()
        if not ours.ended.is_set():
            assert await ours.bye() == "SIP/2.0 200 OK"


async def gone(desk: Desk) -> None:
    """Wait until no call is left."""
    async with asyncio.timeout(10):
        while (await desk.client.get("/api/calls")).json()["calls"]:
            await asyncio.sleep(0.05)


async def test_whisper_is_heard_by_the_agent_alone_and_the_trail_says_so(home: House, agent: Softphone) -> None:
    async with home.desk() as desk:
        async with talking(agent) as (near, far):
            (view,) = await desk.calls(1)
            assert (view["agent_id"], view["agent_name"]) == ("anna", "Anna Abel")
            async with desk.listen(view["id"], reason="training") as ears:
                await asyncio.sleep(1.5)
                for slot, hertz in ((0, AGENT_HZ), (1, CUSTOMER_HZ)):
                    sound = np.frombuffer(b"".join(decode(p, Law.PCMU) for p in ears.heard[slot]), dtype=np.int16)
                    assert dominant_hz(sound) == pytest.approx(hertz, abs=2)
                assert (await ears.mode("whisper", 2000)).json()["mode"] == "whisper"
                await ears.speak(frames(sweep()))
                state = await ears.state()
                assert (await ears.mode("listen")).status_code == 200
                await asyncio.sleep(0.3)
                await ears.close()
            assert state["whispered_ms"] > 500
            # Under the customer's tone, which is lowered while the supervisor speaks.
            assert share_found(near.samples, sweep(), 0.5) >= 0.5
            assert share_found(far.samples, sweep(), 0.5) == 0
            # Every packet at the customer is one the agent's phone sent.
            said = {tone(AGENT_HZ, 160 * n) for n in range(50)}
            assert {one.payload for one in far.phone.heard} <= said
        await gone(desk)
        async with asyncio.timeout(5):
            while not (stops := await desk.audit(call=view["id"], kind="listen.stop")):
                await asyncio.sleep(0.05)
        trail = [(row["kind"], row["fields"]) for row in reversed(await desk.audit(call=view["id"]))]
        kinds = [kind for kind, _ in trail if kind.startswith("listen.")]
        assert kinds == ["listen.start", "listen.mode", "listen.mode", "listen.stop"]
        whisper = next(fields for kind, fields in trail if kind == "listen.mode" and fields["mode"] == "whisper")
        user = (await desk.client.get("/api/me")).json()
        stop = stops[0]["fields"]
        for fields in (trail[-1][1], whisper, stop):
            assert fields["agent"] == "anna"
            assert fields["team"] == "orders"
            assert fields["remote"] == HOST
            assert fields["user"] in str(user)
        assert next(fields for kind, fields in trail if kind == "listen.start")["reason"] == "training"
        assert 2.0 < stop["heard_s"] < 10
        assert 0.5 < stop["whispered_s"] < 1.5
        assert (await desk.client.get("/api/audit/verify")).json()["ok"] is True


async def test_the_customers_hold_leaves_the_agents_ear_open_for_whisper(home: House, agent: Softphone) -> None:
    async with home.desk() as desk, talking(agent) as (near, far):
        (view,) = await desk.calls(1)
        async with desk.listen(view["id"]) as ears:
            assert (await far.phone.request(far.call, "OPTIONS")).startswith("SIP/2.0 200")
            assert "a=recvonly" in await far.call.reinvite("sendonly")
            assert (await desk.calls(1, state="hold"))[0]["hold_by"] == "customer"
            far.call.media = ("127.0.0.1", 9)  # the holding phone is silent: no packets at all
            agent.heard.clear()
            far.phone.heard.clear()
            answer = (await ears.mode("whisper", 3000)).json()
            assert (answer["mode"], answer["refused"]) == ("whisper", "")
            await ears.speak(frames(sweep()))
            await asyncio.sleep(0.2)
            assert share_found(near.samples, sweep()) >= 0.5
            assert share_found(far.samples, sweep()) == 0
            await ears.close()


async def test_the_agents_own_hold_refuses_with_the_reason(home: House, agent: Softphone) -> None:
    async with home.desk() as desk, talking(agent) as (near, far):
        (view,) = await desk.calls(1)
        async with desk.listen(view["id"]) as ears:
            # A whisper that is under way ends when the agent puts the customer on hold.
            assert (await ears.mode("whisper", 5000)).json()["mode"] == "whisper"
            assert (await near.call.reinvite("sendonly")).startswith("SIP/2.0 200")
            (held,) = await desk.calls(1, state="hold")
            assert held["hold_by"] == "agent"
            assert held["refused"]["whisper"] == "agent_holds"
            async with asyncio.timeout(3):
                while (state := await ears.state())["mode"] != "listen":
                    await asyncio.sleep(0.05)
            assert state["refused"] == "agent_holds"
            answer = (await ears.mode("whisper")).json()
            assert (answer["mode"], answer["refused"]) == ("listen", "agent_holds")
            assert (await near.call.reinvite("sendrecv")).startswith("SIP/2.0 200")
            await desk.calls(1)
            assert (await ears.mode("whisper", 2000)).json()["mode"] == "whisper"
            await ears.close()
            assert far.samples.size


async def test_two_lines_at_the_agent_refuse_whisper_on_both(home: House, agent: Softphone) -> None:
    async with home.desk() as desk, talking(agent):
        (first,) = await desk.calls(1)
        async with desk.listen(first["id"]) as ears:
            assert (await ears.mode("whisper", 5000)).json()["mode"] == "whisper"
            async with talking(agent):
                views = await desk.calls(2)
                assert {view["refused"].get("whisper") for view in views} == {"agent_has_two_lines"}
                async with asyncio.timeout(3):
                    while (state := await ears.state())["mode"] != "listen":
                        await asyncio.sleep(0.05)
                assert state["refused"] == "agent_has_two_lines"
                second = next(view for view in views if view["id"] != first["id"])
                async with desk.listen(second["id"]) as others:
                    for one in (ears, others):
                        answer = (await one.mode("whisper")).json()
                        assert (answer["mode"], answer["refused"]) == ("listen", "agent_has_two_lines")
                        await one.speak(frames(sweep(0.2)))
                        assert (await one.state())["whispered_ms"] == 0
                    await others.close()
            await desk.calls(1)
            async with asyncio.timeout(3):
                while (await ears.mode("whisper", 2000)).json()["mode"] != "whisper":
                    await asyncio.sleep(0.05)
            await ears.close()
