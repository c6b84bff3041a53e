"""A node killed between "granted" and "heard" leaves no second of audio without a record written before it.

kill -9 at random moments around the start of a session and around a hop. Whatever had reached the page by then, down to
what the kernel still held, belongs to a call whose `listen.start` or `listen.hop` stands in the journal on disk; the
chain verifies after every crash, and the next node writes on. `CRASHES` sets how many (acceptance: 20).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Origin, Subprotocol

from livemon import config as configuration
from livemon.audit.entry import Entry, parse
from livemon.audit.verify import verify
from livemon.bus.hub import Hub
from livemon.bus.local import LocalBus
from livemon.bus.messages import ListenHop, ListenOpen, ListenOpened, Principal
from livemon.config import Config, NodeSettings, ServerSettings
from livemon.errors import LivemonError
from livemon.tap.messages import Leg
from sip_bridge.link.wire import TapPacket
from tests.bridges import KEY, FakeBridge, mono_us
from tests.house import short_folder
from tests.segments import segment

pytestmark = pytest.mark.slow

CRASHES = int(os.environ.get("CRASHES", "5"))
# The opening takes about 30 ms on an idle machine, the hop comes within 100 ms more: as often into the one as after it.
LATEST_S = (0.04, 0.25)
LEAD = Principal("u1", "Lead", "supervisor", ("listen", "view"), True)
CALL_OF_LEG = {7: "i1", 8: "i1", 17: "i2", 18: "i2"}


@asynccontextmanager
async def node_of(folder: Path, config: Config) -> AsyncIterator[asyncio.subprocess.Process]:
    sock = Path(config.link_listen.removeprefix("unix://"))
    sock.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "livemon.node", "--config", str(folder / "config.json")
    )
    try:
        async with asyncio.timeout(60):
            while not sock.exists():
                await asyncio.sleep(0.02)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def speak(bridge: FakeBridge) -> None:
    """Four legs speak without a pause; the sound of each is its number."""
    for at in range(1 << 16):
        for leg in CALL_OF_LEG:
            await bridge.packets(TapPacket(leg, at, 0, False, 0, at * 160, mono_us(), bytes([leg]) * 160))
        await asyncio.sleep(0.01)


class Page:
    """A browser that opens a session, hears, and hops."""

    def __init__(self, bus: LocalBus, config: Config) -> None:
        self._bus = bus
        self._config = config
        self.heard: dict[str, int] = {}
        """Packets heard by call."""
        self.session = ""

    async def run(self) -> None:
        # A node may die at any byte of the handshake, too.
        with suppress(LivemonError, ConnectionClosed, InvalidHandshake, OSError, EOFError):
            opened = msgspec.msgpack.decode(
                await self._ask("listen.open", ListenOpen(LEAD, "i1", "", "198.51.100.7")), type=ListenOpened
            )
            self.session = opened.session
            async with connect(
                opened.fallback_url,
                origin=Origin(self._config.page_origins[0]),
                subprotocols=[Subprotocol("livemon-listen.1")],
                compression=None,
            ) as page:
                await page.send(json.dumps({"type": "ticket", "ticket": opened.fallback_ticket}))
                await page.recv()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._hop())
                    await self._hear(page)

    async def _hear(self, page: ClientConnection) -> None:
        # Until the end of the connection: what the kernel holds after the kill counts as heard.
        with suppress(ConnectionClosed):
            async for frame in page:
                assert isinstance(frame, bytes)
                call = CALL_OF_LEG[frame[8]]
                self.heard[call] = self.heard.get(call, 0) + 1

    async def _hop(self) -> None:
        await asyncio.sleep(random.uniform(0, 0.1))
        with suppress(LivemonError):
            await self._ask("listen.hop", ListenHop(LEAD, self.session, "i2"))

    async def _ask(self, method: str, body: msgspec.Struct) -> bytes:
        return await self._bus.request("node.node-0", method, msgspec.msgpack.encode(body), timeout=2)


def entries(journal: Path) -> list[Entry]:
    found = [parse(line) for line in journal.read_bytes().splitlines()]
    return [one for one in found if isinstance(one, Entry)]


async def crash(folder: Path, bus: LocalBus, config: Config) -> dict[str, int]:
    """Kill a node once and hold what was heard against the journal; return the packets heard by call."""
    journal = folder / "audit" / "node-0.journal"
    began = mono_us() * 1000
    first = segment(started_ns=began, answered_ns=began, state_since_ns=began)
    second = segment(first, id="s2", interaction="i2", legs=(Leg(17, "agent", "PCMU"), Leg(18, "customer", "PCMU")))
    bridge, page = FakeBridge(), Page(bus, config)
    async with node_of(folder, config) as node:
        with suppress(ConnectionClosed):
            async with bridge.connected(config.link_listen, segments=[first, second]), asyncio.TaskGroup() as group:
                speaking = group.create_task(speak(bridge))
                await asyncio.sleep(0.1)
                running = group.create_task(page.run())
                await asyncio.sleep(random.uniform(0, random.choice(LATEST_S)))
                os.kill(node.pid, signal.SIGKILL)
                await node.wait()
                await running
                speaking.cancel()
    written = entries(journal) if journal.exists() else []
    recorded = {one.fields["call"] for one in written if one.kind in ("listen.start", "listen.hop")
                and one.fields["session"] == page.session}  # fmt: skip
    assert set(page.heard) <= recorded, (page.heard, recorded)
    return page.heard


async def test_kill_9_around_the_start_of_a_session() -> None:
    with short_folder() as folder:
        (folder / "link.key").write_text(KEY + "\n")
        config = Config(
            server=ServerSettings(data_dir=folder),
            node=NodeSettings(rtc_host="127.0.0.1", rtc_port=0, fallback_port=0),
        )
        configuration.dump(config, folder / "config.json")
        hub = Hub(folder / "bus.sock")
        await hub.start()
        bus = LocalBus(folder / "bus.sock", "web")
        assert await bus.start()
        heard = []
        try:
            for _ in range(CRASHES):
                heard.append(await crash(folder, bus, config))
                report = verify(sorted((folder / "audit").glob("*.journal")))
                # A line that the crash cut is no tampering; the next start moves it aside and says so.
                assert [one for one in report.problems if one.id != "cut_line"] == []
            async with node_of(folder, config) as node:
                node.terminate()
                assert await node.wait() == 0
            assert verify(sorted((folder / "audit").glob("*.journal"))).ok
        finally:
            await bus.close()
            await hub.close()
        assert any(heard), "no crash came late enough"
