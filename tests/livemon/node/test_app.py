from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol

from livemon.audit.entry import Entry, parse
from livemon.bus.memory import MemoryBus, MemoryHub
from livemon.bus.messages import (
    AuditEntries,
    AuditPull,
    Directory,
    ListenMode,
    ListenOpen,
    ListenOpened,
    NodeHealth,
    NodeUpdate,
    Principal,
    PrincipalChanged,
)
from livemon.bus.port import Subscription
from livemon.calls.book import KeptCall
from livemon.clock import utc_ms
from livemon.config import Config
from livemon.errors import RemoteError
from livemon.node import checkpoint
from livemon.node.app import Node
from sip_bridge.link.wire import TapPacket
from sip_bridge.tasks import Tasks
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


async def test_a_call_that_is_not_there_cannot_be_heard(start_node: StartNode, web: MemoryBus) -> None:
    await start_node()
    body = msgspec.msgpack.encode(ListenOpen(PRINCIPAL, "nowhere", "", "198.51.100.7"))
    with pytest.raises(RemoteError) as refused:
        await web.request("node.node-0", "listen.open", body)
    assert refused.value.id == "no_such_call"


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


async def test_from_a_bridge_to_a_listener_and_back(
    start_node: StartNode, config: Config, web: MemoryBus, tmp_path: Path
) -> None:
    """The record is on disk before the first sample; a key held sends whisper to the bridge under a grant."""
    calls = web.subscribe("calls.")
    await start_node()
    started = mono_us() * 1000
    talking = segment(started_ns=started, answered_ns=started, state_since_ns=started)
    lead = Principal("u1", "Lead", "supervisor", ("listen", "view", "whisper"), False, ("t1",))
    bridge = FakeBridge()
    async with bridge.connected(config.link_listen, segments=[talking]):
        await until(calls, NodeUpdate, lambda u: bool(u.calls))
        other = msgspec.structs.replace(lead, teams=("t2",))
        with pytest.raises(RemoteError):
            await web.request("node.node-0", "listen.open", encoded(ListenOpen(other, "i1", "", "198.51.100.7")))
        answer = await web.request("node.node-0", "listen.open", encoded(ListenOpen(lead, "i1", "", "198.51.100.7")))
        opened = msgspec.msgpack.decode(answer, type=ListenOpened)
        journal = (tmp_path / "audit" / "node-0.journal").read_bytes()
        assert b"listen.denied" in journal
        assert b"listen.start" in journal
        async with connect(
            opened.fallback_url,
            origin=Origin(config.page_origins[0]),
            subprotocols=[Subprotocol("livemon-listen.1")],
            compression=None,
        ) as page:
            await page.send(json.dumps({"type": "ticket", "ticket": opened.fallback_ticket}))
            assert json.loads(await page.recv())["type"] == "ready"
            asked = [await bridge.heard("listen"), await bridge.heard("listen")]
            assert [(item["legs"], item["on"]) for item in asked] == [([7], True), ([8], True)]
            await bridge.packets(TapPacket(7, 1, 0, False, 0, 160, mono_us(), b"\x11" * 160))
            heard = await asyncio.wait_for(page.recv(), 3)
            assert isinstance(heard, bytes)
            assert heard[8:] == b"\x11" * 160
            await until(calls, NodeUpdate, lambda u: any(c.listeners == 1 for c in u.calls))
            await web.request("node.node-0", "listen.mode", encoded(ListenMode(lead, opened.session, "whisper", 1500)))
            grant = await bridge.heard("grant")
            assert (grant["segment"], grant["mode"]) == ("s1", "whisper")
            # Key-up by the lease, the loss of rights, or here: somebody signed the supervisor out.
            web.publish("principal", encoded(PrincipalChanged("u1", None)))
            assert (await bridge.heard("revoke"))["session"] == grant["session"]
        await until(calls, NodeUpdate, lambda u: any(c.listeners == 0 for c in u.calls))


def encoded(message: msgspec.Struct) -> bytes:
    return msgspec.msgpack.encode(message)


async def test_a_node_whose_steps_keep_failing_gives_up(start_node: StartNode, monkeypatch: pytest.MonkeyPatch) -> None:
    node = await start_node()

    def fail(local_us: int) -> None:
        raise ValueError("on purpose")

    monkeypatch.setattr(node.board, "step", fail)
    with pytest.raises(ValueError, match="on purpose"):
        await asyncio.wait_for(node.run(), 10)


async def test_a_node_survives_a_failed_step_and_a_disk_that_takes_no_checkpoint(
    start_node: StartNode, web: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = web.subscribe("node.")
    node = await start_node()
    steps: list[int] = []

    def fail_once(local_us: int) -> None:
        steps.append(local_us)
        if len(steps) == 1:
            raise ValueError("once")

    def full(path: Path, kept: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(node.board, "step", fail_once)
        patched.setattr("livemon.node.checkpoint.write", full)
        for _ in range(2):
            await until(health, NodeHealth, lambda h: True)
    assert len(steps) > 10


def leave_a_checkpoint(config: Config) -> None:
    """Leave what a node that was killed a moment ago leaves: it had the call of TALKING."""
    now_ms = utc_ms()
    kept = KeptCall("i1", "b1", 1, now_ms - 5000, now_ms - 4000, 0, "talking", "")
    made = checkpoint.Checkpoint(checkpoint.VERSION, "node-0", now_ms, (), (kept,))
    checkpoint.write(config.server.data_dir / "node-0.checkpoint", made)


async def test_a_restarted_node_waits_for_its_bridge_before_it_says_what_calls_there_are(
    start_node: StartNode, config: Config, hub: MemoryHub, web: MemoryBus
) -> None:
    """Without the wait the pages would take the calls for ended, and their listening with them."""
    leave_a_checkpoint(config)
    updates = web.subscribe("calls.")
    await start_node()
    asked = asyncio.get_running_loop().create_future()
    tasks = Tasks("test")

    async def ask() -> None:
        asked.set_result(await web.request("node.node-0", "snapshot", b""))

    tasks.start(ask(), "snapshot")
    await asyncio.sleep(0.3)
    assert not asked.done()
    async with FakeBridge().connected(config.link_listen, segments=[TALKING]):
        full = msgspec.msgpack.decode(await asyncio.wait_for(asked, 2), type=NodeUpdate)
        assert [view.id for view in full.calls] == ["i1"]
        said = await until(updates, NodeUpdate, lambda u: u.full)
        assert [view.id for view in said.calls] == ["i1"], "nobody has to ask"
    await tasks.close()


async def test_a_bridge_that_does_not_come_is_not_waited_for_long(
    start_node: StartNode, config: Config, web: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livemon.node.app.SETTLE_S", 0.3)
    leave_a_checkpoint(config)
    await start_node()
    full = msgspec.msgpack.decode(await web.request("node.node-0", "snapshot", b""), type=NodeUpdate)
    assert full.calls == ()
