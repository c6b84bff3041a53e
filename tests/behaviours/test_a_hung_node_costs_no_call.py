"""The call is sacred: a node that takes the link and then never reads costs no call one packet.

The bridge fills its own bounded queue, drops the oldest tap frames, and the parties hear every packet; when the node
ends, its grants end with it and the call does not.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from pathlib import Path

import pytest

from tests.bridge_process import BridgeProcess
from tests.softphone import Softphone

pytestmark = pytest.mark.slow

SIP, METRICS, CALLER, CALLEE = 23301, 23302, 23310, 23320


class HungNode:
    """Accepts the WebSocket handshake, then reads nothing more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writers: list[asyncio.StreamWriter] = []
        self.greeted = asyncio.Event()

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._client, str(self._path), limit=1024)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = re.search(r"Sec-WebSocket-Key: (\S+)", request)
        assert key is not None
        # RFC 6455, 1.3: the answer proves that the request was read.
        digest = hashlib.sha1((key[1] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: livemon-link.1\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        self._writers.append(writer)
        self.greeted.set()

    async def stop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._server.close()
        await self._server.wait_closed()


async def test_every_packet_arrives_while_the_node_hangs_and_after_it_died(tmp_path: Path) -> None:
    node = HungNode(tmp_path / "node.sock")
    await node.start()
    (tmp_path / "key").write_text("secret\n")
    arguments = [
        "--listen", f"udp:127.0.0.1:{SIP}", "--route", f"127.0.0.1:{CALLEE}", "--phones-side", "route",
        "--server", f"unix://{tmp_path}/node.sock", "--key-file", str(tmp_path / "key"),
        "--rtp-ports", "23330-23369", "--rtp-host", "127.0.0.1",
    ]  # fmt: skip
    server = ("127.0.0.1", SIP)
    async with (
        BridgeProcess(arguments, METRICS, tmp_path / "bridge.log") as bridge,
        Softphone("127.0.0.1", CALLER, CALLER + 2, server, "customer") as customer,
        Softphone("127.0.0.1", CALLEE, CALLEE + 2, server, "agent") as agent,
    ):
        await asyncio.wait_for(node.greeted.wait(), 5)
        theirs = await customer.call(f"sip:agent@127.0.0.1:{SIP}")
        ours = next(iter(agent.calls.values()))
        for at in range(150):
            customer.speak(theirs, b"c%06d" % at + bytes(153), 160 * at)
            agent.speak(ours, b"a%06d" % at + bytes(153), 160 * at)
            if at == 100:
                await node.stop()
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        assert [one.payload[:7] for one in agent.heard] == [b"c%06d" % at for at in range(150)]
        assert [one.payload[:7] for one in customer.heard] == [b"a%06d" % at for at in range(150)]
        await bridge.until("livemon_bridge_link_up", 0)
        assert (await bridge.figures())["livemon_bridge_calls_active"] == 1
        assert await theirs.bye() == "SIP/2.0 200 OK"
