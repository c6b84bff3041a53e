from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import pytest

from livemon.audit.entry import Entry, parse
from livemon.bus.memory import MemoryBus
from livemon.bus.messages import (
    AuditEntries,
    AuditPull,
    Directory,
    ListenOpen,
    NodeHealth,
    NodeUpdate,
    Principal,
    PrincipalChanged,
)
from livemon.bus.port import Subscription
from livemon.config import Config
from livemon.errors import RemoteError
from livemon.node.app import Node
from sip_bridge.link.wire import TapPacket
from tests.bridges import FakeBridge, mono_us, tone
from tests.segments import TALKING, segment

pytestmark = pytest.mark.slow

StartNode = Callable[[], Awaitable[Node]]
T = TypeVar("T")
PRINCIPAL = Principal("u1", "Lead", "supervisor", ("listen", "view"), True)


async def until(box: Subscription, kind: type[T], done: Callable[[T], bool]) -> T:
    async with asyncio.timeout(5):
        while True:
            message = msgspec.msgpack.decode((await box.get()).body, type=kind)
            if done(message):
                return message


async def speak(bridge: FakeBridge, seconds: float, start: int = 0) -> int:
    """Send speech-like sound of the agent in real time; return the number of packets sent so far."""
    frames = tone(round(seconds * 50))
    began = asyncio.get_running_loop().time()
    for number, payload in enumerate(frames):
        at = start + number
        await bridge.packets(TapPacket(7, at & 0xFFFF, 0, False, 0, at * 160, mono_us(), payload))
        await asyncio.sleep(max(0.0, began + (number + 1) * 0.02 - asyncio.get_running_loop().time()))
    return start + len(frames)


def now_segment(**changes: object) -> object:
    return segment(TALKING, started_ns=mono_us() * 1000, answered_ns=mono_us() * 1000, state_since_ns=0, **changes)


async def test_from_a_bridge_to_the_bus(start_node: StartNode, config: Config, web: MemoryBus) -> None:
    """A segment is announced and becomes a call; packets become figures; the link's end shows at once."""
    calls = web.subscribe("calls.")
    await start_node()
    started = mono_us() * 1000
    talking = segment(started_ns=started, answered_ns=started, state_since_ns=started)
    bridge = FakeBridge()
    async with bridge.connected(config.link_listen, segments=[talking]):
        assert bridge.resumed is None
        update = await until(calls, NodeUpdate, lambda u: bool(u.calls))
        (view,) = update.calls
        assert (view.id, view.agent_name, view.state, view.customer) == ("i1", "Anna Abel", "talking", "•••• 5678")
        await speak(bridge, 2.0)
        measured = await until(calls, NodeUpdate, lambda u: any(f.agent_talk_ms > 900 for f in u.figures))
        assert measured.figures[0].id == "i1"
        full = msgspec.msgpack.decode(await web.request("node.node-0", "snapshot", b""), type=NodeUpdate)
        assert full.full
        assert [view.id for view in full.calls] == ["i1"]
        assert full.spurts[0].party == "agent"
        assert full.seq >= measured.seq
    gone = await until(calls, NodeUpdate, lambda u: bool(u.calls))
    assert gone.calls[0].refused["listen"] == "bridge_away"


async def test_health_and_directory_and_strange_requests(start_node: StartNode, config: Config, web: MemoryBus) -> None:
    health = web.subscribe("node.")
    calls = web.subscribe("calls.")
    await start_node()
    async with FakeBridge().connected(config.link_listen, segments=[TALKING]):
        got = await until(health, NodeHealth, lambda h: h.calls == 1)
        assert (got.bridges, got.sessions) == (("b1",), 0)
        assert got.counters["tap_frames"] == 0
        agents = msgspec.structs.replace(config.directory().agents[0], name="Anna Neu")
        directory = Directory(9, (agents,), (), ())
        web.publish("directory", b"\xc1", retain=True)
        web.publish("principal", b"\xc1")
        web.publish("principal", msgspec.msgpack.encode(PrincipalChanged("u1", None)))
        web.publish("directory", msgspec.msgpack.encode(directory), retain=True)
        renamed = await until(calls, NodeUpdate, lambda u: any(c.agent_name == "Anna Neu" for c in u.calls))
        assert not renamed.full
        for method, body, error in (("nonsense", b"", "no_such_method"), ("listen.open", b"\xc1", "bad_request")):
            with pytest.raises(RemoteError) as refused:
                await web.request("node.node-0", method, body)
            assert refused.value.id == error


async def test_no_call_no_audio_and_the_refusal_is_on_record(start_node: StartNode, web: MemoryBus) -> None:
    await start_node()
    with pytest.raises(RemoteError):
        body = msgspec.msgpack.encode(ListenOpen(PRINCIPAL, "nowhere", "", "198.51.100.7"))
        await web.request("node.node-0", "listen.open", body)


async def test_an_origin_interval_is_in_the_journal(start_node: StartNode, config: Config, web: MemoryBus) -> None:
    audit = web.subscribe("audit.")
    await start_node()
    bridge = FakeBridge()
    async with bridge.connected(config.link_listen, segments=[TALKING]):
        await bridge.say(
            {"t": "origin", "segment": "s1", "leg": 8, "origin": "barge", "start_ns": 1, "end_ns": None, "session": 4}
        )
        entries = await until(audit, AuditEntries, lambda e: True)
        entry = parse(entries.lines[0])
        assert isinstance(entry, Entry)
        assert (entry.kind, entry.fields["origin"], entry.fields["call"]) == ("call.origin", "barge", "i1")
        pulled = await web.request("node.node-0", "audit.pull", msgspec.msgpack.encode(AuditPull("node-0", 0)))
        assert msgspec.msgpack.decode(pulled, type=AuditEntries).lines == entries.lines
        with pytest.raises(RemoteError) as refused:
            await web.request("node.node-0", "audit.pull", msgspec.msgpack.encode(AuditPull("other", 0)))
        assert refused.value.id == "no_such_writer"


async def test_a_second_link_of_a_bridge_replaces_the_first(start_node: StartNode, config: Config) -> None:
    node = await start_node()
    first, second = FakeBridge(), FakeBridge(boot="boot-2")
    async with first.connected(config.link_listen, segments=[TALKING]):
        assert first.connection is not None
        async with second.connected(config.link_listen, segments=[TALKING]):
            await asyncio.wait_for(first.connection.wait_closed(), 3)
            port = node.board.ports["b1"]
            assert port.up
            port.listen({7}, True)
            assert (await second.heard("listen"))["legs"] == [7]
