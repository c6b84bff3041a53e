"""One page that never reads among others, with 500 calls on the feed of the real web process."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from typing import Any, cast

import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from bench.figure import Figure
from livemon.bus.local import LocalBus
from livemon.bus.memory import MemoryHub
from tests.desk import Desk
from tests.house import HOST, House, Plan, free_base, house
from tests.live_calls import alert, call, figures
from tests.web_site import PlayedNode

CALLS = 500
READERS = 4
SECONDS = 18.0
ALERT_EVERY_S = 0.1
# Names as long as they get: the kernel holds 4 MB for a page that does not read before livemon feels it.
LONG = {"node": "bench"} | dict.fromkeys(("agent_name", "team_name", "queue_name", "customer"), 60 * "x")


def run() -> Iterator[Figure]:
    """Measure with and without the page that never reads."""
    yield from asyncio.run(_measure())


class _Hub:
    """Lets a played node speak on a real bus."""

    def __init__(self, bus: LocalBus) -> None:
        self._bus = bus

    def connect(self, name: str) -> LocalBus:
        return self._bus


async def _measure() -> list[Figure]:
    async with house(Plan(free_base(30000, 32000))) as home, home.desk() as desk:
        bus = LocalBus(home.folder / "bus.sock", "bench")
        await bus.start()
        node = PlayedNode(cast(MemoryHub, _Hub(bus)), home.folder / "played", "bench")
        ids = [f"n{number}" for number in range(CALLS)]
        node.publish(full=True, calls=tuple(call(id_, node="bench") for id_ in ids))
        await desk.calls(CALLS)
        try:
            quiet, _, _ = await _round(home, desk, node, ids, deaf=False)
            waits, cut, grown = await _round(home, desk, node, ids, deaf=True)
        finally:
            node.journal.close()
            await bus.close()
    where = f"{CALLS} calls, {READERS} pages that read, {len(waits)} alerts each published to received"
    return [
        Figure("slow_reader_others_p50", _at(waits, 0.5), "ms", "<= 100", where),
        Figure("slow_reader_others_p99", _at(waits, 0.99), "ms", "<= 100", where),
        Figure("slow_reader_without_p99", _at(quiet, 0.99), "ms", "", f"{where}, everybody reads"),
        Figure("slow_reader_cut_after", cut, "s", "cut at 1 MiB", where),
        Figure("slow_reader_memory", grown, "MB", "<= 5", where),
    ]


def _at(waits: list[float], share: float) -> float:
    return round(1000 * sorted(waits)[int(share * len(waits))], 1)


async def _round(
    home: House, desk: Desk, node: PlayedNode, ids: list[str], deaf: bool
) -> tuple[list[float], float | None, float]:
    pid = home.supervisor.pid("web")
    assert pid is not None
    web = psutil.Process(pid)
    sent: dict[str, float] = {}
    waits: list[float] = []
    pages = [await _page(home, desk) for _ in range(READERS)]
    stuck = await _page(home, desk, deaf=True) if deaf else None
    before, cut = web.memory_info().rss, None
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(_read(page, sent, waits)) for page in pages]
        began = time.monotonic()
        number = 0
        while (now := time.monotonic()) < began + SECONDS:
            parts: dict[str, Any] = {}
            if number % 10 == 0:
                # Once a second every call has new numbers and a change a page must be told.
                parts["calls"] = tuple(call(id_, **LONG, state_since_ms=number) for id_ in ids)
                parts["figures"] = tuple(figures(id_, silence_ms=number) for id_ in ids)
            name = f"{'deaf' if deaf else 'all'}-{number}"
            sent[name] = time.monotonic()
            node.publish(alerts=(alert(name, "n1"),), **parts)
            number += 1
            if stuck is not None and cut is None and _ended(pages[0], web):
                cut = round(now - began, 1)
            await asyncio.sleep(max(0.0, began + number * ALERT_EVERY_S - time.monotonic()))
        for one in reading:
            one.cancel()
    grown = round((web.memory_info().rss - before) / 1e6, 1)
    for page in (*pages, *([stuck] if stuck else [])):
        page.transport.abort()
    return waits, cut, grown


def _ended(page: ClientConnection, web: psutil.Process) -> bool:
    """Whether the web process holds no connection any more beside those of the pages that read."""
    port = page.remote_address[1]
    return sum(one.status == "ESTABLISHED" and one.laddr.port == port for one in web.net_connections("tcp")) <= READERS


async def _page(home: House, desk: Desk, deaf: bool = False) -> ClientConnection:
    ticket = (await desk.client.post("/api/ticket")).json()["ticket"]
    sock = socket.create_connection((HOST, home.plan.web))
    if deaf:
        # Or the kernel itself would read megabytes for it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    page = await connect(
        f"ws://{HOST}:{home.plan.web}/api/feed",
        sock=sock,
        subprotocols=[Subprotocol("livemon-feed.1")],
        additional_headers={"Origin": home.url},
        max_size=None,
        max_queue=1 if deaf else 16,
        ping_interval=None,
    )
    await page.send(json.dumps({"type": "ticket", "ticket": ticket}))
    return page


async def _read(page: ClientConnection, sent: dict[str, float], waits: list[float]) -> None:
    try:
        async for text in page:
            now = time.monotonic()
            message = json.loads(text)
            if message["type"] == "snapshot":
                continue
            waits += [now - sent[one["id"]] for one in message.get("alerts", ()) if one["id"] in sent]
    except ConnectionClosed:
        return
