"""A board says within 3 s that what it shows is old, and is whole again at the node's first word.

The node falls silent (killed, hung, or the bus between is gone: the page cannot tell, and need not).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.live_calls import call
from tests.web_site import Site, served


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Site]:
    async with served(tmp_path) as one:
        yield one


@pytest.mark.slow
async def test_a_silent_node_is_marked_within_three_seconds(live: Site) -> None:
    loop = asyncio.get_running_loop()
    headers = {"Origin": f"http://127.0.0.1:{live.port}"}
    url = f"ws://127.0.0.1:{live.port}/api/feed"
    async with connect(url, subprotocols=[Subprotocol("livemon-feed.1")], additional_headers=headers) as page:
        await page.send(json.dumps({"type": "ticket", "ticket": await live.ticket("wall")}))
        assert json.loads(await page.recv())["stale"] == []
        live.node.alive()
        said = loop.time()
        stale: list[str] = []
        while stale != ["node-0"]:
            stale = json.loads(await asyncio.wait_for(page.recv(), 5)).get("stale", [])
        assert loop.time() - said <= 3.0
        live.node.publish(calls=(call("c9"),))
        said, seen = loop.time(), set[str]()
        while stale or "c9" not in seen:
            message = json.loads(await asyncio.wait_for(page.recv(), 5))
            stale = message.get("stale", stale)
            seen.update(view["id"] for view in message.get("calls", ()))
        assert loop.time() - said <= 2.0
