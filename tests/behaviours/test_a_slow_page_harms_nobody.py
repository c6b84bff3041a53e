"""A page that never reads falls back to a snapshot, then is cut; everybody else's feed stays prompt meanwhile.

500 calls change every tenth of a second. One browser signs in and never reads its socket; another reads. The first
is cut once it has missed a megabyte, the process keeps no more than that for it, and what the second sees is whole
and never late.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from livemon.api.feed.outlet import HARD_LIMIT, SOFT_LIMIT
from tests.live_calls import alert, call
from tests.web_site import Site, served, until

CALLS = 500


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Site]:
    async with served(tmp_path) as one:
        yield one


def _dial(live: Site, **options: Any) -> connect:
    return connect(
        f"ws://127.0.0.1:{live.port}/api/feed",
        subprotocols=[Subprotocol("livemon-feed.1")],
        additional_headers={"Origin": f"http://127.0.0.1:{live.port}"},
        max_size=None,
        **options,
    )


@pytest.mark.slow
async def test_a_page_that_never_reads_is_cut_and_the_others_see_everything_in_time(live: Site) -> None:
    live.node.publish(calls=tuple(call(f"n{n}") for n in range(CALLS)))
    await until(lambda: len(live.web.feed.world.calls) == CALLS + 2)
    # A small receive buffer, or the kernel itself would read megabytes for the page that does not.
    deaf = socket.create_connection(("127.0.0.1", live.port))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    async with _dial(live, sock=deaf, max_queue=1) as slow, _dial(live) as good:
        for page, login in ((slow, "admin"), (good, "sue")):
            await page.send(json.dumps({"type": "ticket", "ticket": await live.ticket(login)}))
        assert json.loads(await good.recv())["type"] == "snapshot"
        await until(lambda: len(live.web.feed) == 2)
        waits, last = [], 0
        loop = asyncio.get_running_loop()
        readers = list(live.web.feed._readers)
        largest = 0
        for round_ in range(400):
            live.node.publish(
                calls=tuple(call(f"n{n}", state_since_ms=round_) for n in range(CALLS)),
                alerts=(alert(f"x{round_}", "n1", value_ms=round_),),
            )
            started = loop.time()
            while True:
                message = json.loads(await asyncio.wait_for(good.recv(), 5))
                assert message["type"] == "snapshot" or message["n"] == last + 1 or not last
                last = message["n"]
                if any(one["value_ms"] == round_ for one in message.get("alerts", ())):
                    break
            waits.append(loop.time() - started)
            largest = max(largest, *(reader.outlet._waiting for reader in readers))
            if live.web.feed.cut:
                break
        assert live.web.feed.cut == 1 and len(live.web.feed) == 1
        assert largest <= SOFT_LIMIT + HARD_LIMIT
        assert sorted(waits)[int(len(waits) * 0.99)] < 0.5
        slow.transport.abort()
