"""Nobody hears what they may not: a whisper reaches the agent alone, and only while its node is there.

A node over the real link listens, speaks to the agent, and vanishes: the customer hears the agent's own packets byte
for byte all the time, the agent hears the whisper only under a grant, and no call is touched.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, unix_serve
from websockets.typing import Subprotocol

from sip_bridge.link import wire
from tests.bridge_process import BridgeProcess
from tests.softphone import Call, Softphone

pytestmark = pytest.mark.slow

SIP, METRICS, CALLER, CALLEE = 23060, 23061, 23064, 23068
SILENCE = b"\xff" * 160
"""20 ms of nothing in mu-law."""
LOUD = b"\x80\x00" * 80
"""20 ms of a full-scale 4 kHz square wave in mu-law: nothing else on the line looks like it."""


class Node:
    """The node's end of the link; what it hears is kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.texts: list[dict[str, Any]] = []
        self.frames: list[wire.TapFrame] = []
        self.connection: ServerConnection | None = None
        self._server: Server | None = None

    async def start(self) -> None:
        protocols = [Subprotocol("livemon-link.1")]
        self._server = await unix_serve(self._serve, str(self._path), subprotocols=protocols, compression=None)

    async def stop(self) -> None:
        assert self._server is not None
        assert self.connection is not None
        self.connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, connection: ServerConnection) -> None:
        self.connection = connection
        async for message in connection:
            if isinstance(message, str):
                self.texts.append(json.loads(message))
            else:
                frame = wire.decode(message)
                assert isinstance(frame, wire.TapFrame)
                self.frames.append(frame)

    async def tell(self, **message: Any) -> None:
        assert self.connection is not None
        await self.connection.send(json.dumps(message))

    async def whisper(self, at: int) -> None:
        assert self.connection is not None
        await self.connection.send(wire.whisper_frame(wire.WhisperChunk(5, at, 160 * at, LOUD)))

    def segment(self) -> dict[str, Any]:
        return [one for one in self.texts if one["t"] == "segment"][-1]


async def talk(customer: Softphone, theirs: Call, agent: Softphone, ours: Call, first: int, node: Node | None) -> None:
    """Both say silence for a second, marked by its number in the agent's case; the node may whisper meanwhile."""
    for at in range(first, first + 50):
        customer.speak(theirs, SILENCE, 160 * at)
        agent.speak(ours, b"a%06d" % at + SILENCE[7:], 160 * at)
        if node is not None:
            if at % 10 == 0:
                segment = node.segment()["id"]
                await node.tell(t="grant", session=5, segment=segment, mode="whisper", counter=at + 1, ttl_ms=1000)
            await node.whisper(at)
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)


async def test_a_whisper_is_heard_by_the_agent_alone_and_ends_with_the_link(tmp_path: Path) -> None:
    node = Node(tmp_path / "node.sock")
    await node.start()
    (tmp_path / "key").write_text("secret")
    arguments = [
        "--listen", f"udp:127.0.0.1:{SIP}", "--route", f"127.0.0.1:{CALLEE}", "--phones-side", "route",
        "--server", f"unix://{tmp_path}/node.sock", "--key-file", str(tmp_path / "key"),
        "--rtp-ports", "23072-23083", "--rtp-host", "127.0.0.1",
    ]  # fmt: skip
    server = ("127.0.0.1", SIP)
    async with (
        BridgeProcess(arguments, METRICS, tmp_path / "bridge.log") as bridge,
        Softphone("127.0.0.1", CALLER, CALLER + 2, server, "customer") as customer,
        Softphone("127.0.0.1", CALLEE, CALLEE + 2, server, "agent") as agent,
    ):
        await bridge.until("livemon_bridge_link_up", 1)
        theirs = await customer.call(f"sip:agent@127.0.0.1:{SIP}")
        ours = next(iter(agent.calls.values()))
        while not node.texts or node.texts[-1].get("state") != "talking":
            await asyncio.sleep(0.01)
        assert node.texts[0]["t"] == "hello"
        assert node.segment()["capabilities"] == ["listen", "measure", "whisper", "barge"]
        await node.tell(t="welcome", version=1, node="n", resume_tick=None)
        await node.tell(t="listen", legs=[leg["leg"] for leg in node.segment()["legs"]], on=True)

        await node.whisper(0)
        await talk(customer, theirs, agent, ours, 0, None)
        assert all(one.payload == SILENCE for one in agent.heard), "heard without a grant"

        agent.heard.clear()
        await talk(customer, theirs, agent, ours, 50, node)
        assert sum(one.payload != SILENCE for one in agent.heard) >= 30

        await node.stop()
        await asyncio.sleep(0.2)
        agent.heard.clear()
        await talk(customer, theirs, agent, ours, 100, None)
        assert all(one.payload == SILENCE for one in agent.heard), "heard after the link was gone"

        said = [b"a%06d" % at + SILENCE[7:] for at in range(150)]
        assert [one.payload for one in customer.heard] == said
        tapped = sum(len(frame.packets) for frame in node.frames)
        assert tapped >= 190
        assert (await bridge.figures())["livemon_bridge_proof_mismatches_total"] == 0
        assert await theirs.bye() == "SIP/2.0 200 OK"
