import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, unix_serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from sip_bridge.link import client as client_module
from sip_bridge.link.client import SUBPROTOCOL, LinkAddress, LinkClient


class Owner:
    """A control process with two old frames; what it is told is kept."""

    def __init__(self) -> None:
        self.texts: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        self.lost = 0

    def announcement(self) -> Iterable[dict[str, Any]]:
        return [{"t": "hello"}, {"t": "announced"}]

    def replay_after(self, tick: int | None) -> list[bytes]:
        return [] if tick is None else [b"old%d" % (tick + 1), b"old%d" % (tick + 2)]

    def on_link_text(self, message: dict[str, Any]) -> None:
        self.texts.append(message)

    def on_link_frame(self, frame: bytes) -> None:
        self.frames.append(frame)

    def on_link_lost(self) -> None:
        self.lost += 1


class Node:
    """A node on a Unix socket that keeps what it hears."""

    def __init__(self, path: Path, subprotocols: list[Subprotocol] | None) -> None:
        self.path = path
        self.heard: list[str | bytes] = []
        self.connections: list[ServerConnection] = []
        self._subprotocols = subprotocols
        self._server: Server | None = None

    async def start(self) -> None:
        self._server = await unix_serve(
            self._serve, str(self.path), subprotocols=self._subprotocols, process_request=self._check, compression=None
        )

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        good = request.headers.get("Authorization") == "Bearer secret"
        return None if good else connection.respond(401, "wrong key")

    async def _serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        async for message in connection:
            self.heard.append(message)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(client_module, "BACKOFF_LONGEST", 0.02)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path / "node.sock", [SUBPROTOCOL])
    await node.start()
    yield node
    await node.stop()


def dial(path: Path, key: str = "secret") -> tuple[LinkClient, Owner]:
    owner = Owner()
    return LinkClient(LinkAddress(f"unix://{path}", key), owner, lambda: 0), owner


async def until(done: Any) -> None:
    async with asyncio.timeout(3):
        while not done():
            await asyncio.sleep(0.005)


async def test_a_node_is_told_everything_then_live_then_the_past(node: Node) -> None:
    link, owner = dial(node.path)
    link.tell({"t": "lost, nobody is there"})
    link.tap(b"lost too")
    link.start()
    await until(lambda: len(node.heard) == 2)
    await node.connections[0].send(json.dumps({"t": "welcome", "resume_tick": 6}))
    await until(lambda: len(node.heard) == 4)
    link.tell({"t": "segment"})
    link.tap(b"live")
    await until(lambda: len(node.heard) == 6)
    texts = [json.loads(one)["t"] if isinstance(one, str) else one for one in node.heard]
    assert texts == ["hello", "announced", b"old7", b"old8", "segment", b"live"]
    await node.connections[0].send(json.dumps({"t": "welcome", "resume_tick": None}))
    await node.connections[0].send("not json")
    await node.connections[0].send("[1]")
    await node.connections[0].send(json.dumps({"t": "revoke", "session": 1}))
    await node.connections[0].send(b"chunk")
    await until(lambda: owner.frames)
    assert (owner.texts, owner.frames) == ([{"t": "revoke", "session": 1}], [b"chunk"])
    await link.close()
    assert owner.lost == 1


async def test_a_lost_link_is_dialled_again(node: Node) -> None:
    link, owner = dial(node.path)
    link.start()
    await until(lambda: link.connected)
    await node.connections[0].close()
    await until(lambda: owner.lost == 1)
    await until(lambda: link.connected)
    await until(lambda: len(node.heard) == 4)
    assert link.attempts == 2
    await link.close()


async def test_a_wrong_key_is_tried_again_and_again_and_nothing_is_told(node: Node) -> None:
    link, owner = dial(node.path, "wrong")
    link.start()
    await until(lambda: link.attempts >= 3)
    assert not link.connected
    assert (node.heard, owner.lost) == ([], 0)
    await link.close()


async def test_a_node_that_is_not_there(tmp_path: Path) -> None:
    link, _ = dial(tmp_path / "nobody.sock")
    link.start()
    await until(lambda: link.attempts >= 3)
    await link.close()


async def test_another_protocol_is_not_spoken_to(tmp_path: Path) -> None:
    node = Node(tmp_path / "node.sock", None)
    await node.start()
    link, owner = dial(node.path)
    link.start()
    await until(lambda: link.attempts >= 2)
    assert node.heard == []
    assert owner.lost == 0
    await link.close()
    await node.stop()


async def test_lost_events_end_the_connection_so_that_all_is_told_anew(node: Node) -> None:
    link, owner = dial(node.path)
    link.start()
    await until(lambda: link.connected)
    for at in range(20_001):
        link.tell({"n": at})
    await until(lambda: owner.lost == 1)
    await until(lambda: link.attempts == 2 and link.connected)
    await link.close()


def test_other_hosts_are_dialled_over_tls_without_a_proxy() -> None:
    dialled = LinkClient(LinkAddress("wss://node.example:8443/", "k"), Owner(), lambda: 0)._dial()
    assert dialled.uri == "wss://node.example:8443/"
    assert dialled.proxy is None
