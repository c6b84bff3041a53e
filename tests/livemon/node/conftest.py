from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from livemon.bus.memory import MemoryBus, MemoryHub
from livemon.config import Config, NodeSettings, ServerSettings
from livemon.node.app import Node
from tests.bridges import KEY
from tests.segments import DIRECTORY

StartNode = Callable[[], Awaitable[Node]]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "link.key").write_text(KEY + "\n")
    return Config(
        server=ServerSettings(data_dir=tmp_path),
        node=NodeSettings(rtc_host="127.0.0.1", rtc_port=0, fallback_port=0),
        agent=tuple(
            {"id": a.id, "name": a.name, "number": a.number, "team": a.team, "addresses": a.addresses}  # type: ignore[misc]
            for a in DIRECTORY.agents
        ),
        team=tuple({"id": t.id, "name": t.name} for t in DIRECTORY.teams),  # type: ignore[misc]
        queue=tuple({"id": q.id, "name": q.name} for q in DIRECTORY.queues),  # type: ignore[misc]
    )


@pytest.fixture
def hub() -> MemoryHub:
    return MemoryHub()


@pytest.fixture
async def web(hub: MemoryHub) -> AsyncIterator[MemoryBus]:
    bus = hub.connect("web")
    yield bus
    await bus.close()


@pytest.fixture
async def start_node(config: Config, hub: MemoryHub) -> AsyncIterator[StartNode]:
    """Starts nodes, one after the other, on the same data directory; all are closed at the end."""
    async with AsyncExitStack() as stack:

        async def start() -> Node:
            bus = hub.connect("node-0")
            stack.push_async_callback(bus.close)
            node = Node(config, bus)
            await node.start()
            stack.push_async_callback(node.close)
            return node

        yield start
