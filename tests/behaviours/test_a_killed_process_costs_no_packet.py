"""kill -9 of any process costs the phones no packet, and the supervisor at most a few seconds of sound.

Real processes and real sockets: three calls between simulated phones, a supervisor listening over the WebSocket
fallback. Node, web process, control and media process are killed once each. No phone misses a packet (the bridge keeps
sequence numbers, so a lost one is a hole); no call ends; the supervisor hears both parties again; the audit trail has
an end for every beginning, also for the session that died with its node.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from livemon.audit.entry import Entry, parse
from livemon.config import load
from livemon.listen import frames
from livemon.listen.fallback import SUBPROTOCOL
from sip_bridge.tasks import Tasks
from tests.stack import Running, stack, victim

pytestmark = [pytest.mark.slow, pytest.mark.interop]

# The goal is 3 s on a machine of its own; a machine that runs other tests may need longer to load numpy.
BACK_WITHIN = 3.0 + 5.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: Unix sockets live in it."""
    made = Path(tempfile.mkdtemp(prefix="lm"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


class Supervisor:
    """Listens to one call like a page does: opens, hears, and opens again when the connection is lost."""

    def __init__(self, running: Running, client: httpx.AsyncClient) -> None:
        self._url = running.stage.url
        self._client = client
        self.sessions: list[str] = []
        self.heard: dict[int, float] = {}
        """Slot -> when its last sound came (monotonic, s)."""

    async def run(self) -> None:
        """Listen to the first call there is, until cancelled."""
        while not (calls := (await self._client.get("/api/calls")).json()["calls"]):
            await asyncio.sleep(0.1)
        while True:
            with contextlib.suppress(httpx.HTTPError, ConnectionClosed, OSError):
                await self._listen(calls[0]["id"])
            await asyncio.sleep(0.3)

    async def _listen(self, call: str) -> None:
        answer = await self._client.post(f"/api/calls/{call}/listen", json={"transport": "websocket"})
        if answer.status_code != 201:
            return
        opened = answer.json()
        self.sessions.append(opened["session"])
        async with connect(
            opened["fallback_url"], origin=Origin(self._url), subprotocols=[SUBPROTOCOL], compression=None
        ) as socket:
            await socket.send(json.dumps({"type": "ticket", "ticket": opened["fallback_ticket"]}))
            async for message in socket:
                if isinstance(message, bytes) and message[0] == frames.AUDIO:
                    self.heard[message[1]] = time.monotonic()

    async def hears_both(self, since: float, within: float) -> None:
        """Wait until both parties were heard after `since`."""
        async with asyncio.timeout(within):
            while min(self.heard.get(slot, 0.0) for slot in (0, 1)) <= since:
                await asyncio.sleep(0.02)


async def until(done: Callable[[], bool], within: float = 30.0) -> None:
    """Wait until `done`."""
    async with asyncio.timeout(within):
        while not done():
            await asyncio.sleep(0.05)


def trail(running: Running) -> list[Entry]:
    """Read the node's journal."""
    path = load(running.stage.config).journal_path("node-0")
    return [entry for line in path.read_bytes().splitlines() if isinstance(entry := parse(line), Entry)]


async def test_every_process_is_killed_once(folder: Path) -> None:
    tasks = Tasks("test")
    async with stack(folder, 3) as running, contextlib.aclosing(await running.signed_in()) as client:
        calls = await running.calls_up(3)
        recorders = [recorder for live in calls for recorder in running.record(live)]
        supervisor = Supervisor(running, client)
        tasks.start(supervisor.run(), "supervisor")
        try:
            await supervisor.hears_both(0.0, 10.0)
            await until(lambda: running.supervisor.spare("node-0") is not None)
            await asyncio.sleep(2.5)  # the seconds heard are kept once a second
            for name in ("node", "web", "control", "media"):
                sessions = len(supervisor.sessions)
                os.kill(victim(running, name), signal.SIGKILL)
                # What was on the way already does not count.
                await supervisor.hears_both(time.monotonic() + 0.3, BACK_WITHIN)
                # Only the death of the node ends a session; the page opened another one by itself.
                assert len(supervisor.sessions) - sessions == (1 if name == "node" else 0), name
                await asyncio.sleep(1.0)
            assert [recorder.sequences.missing for recorder in recorders] == [0] * 6
            assert all(live.up for live in calls)
            first, second = supervisor.sessions
            listed = (await client.get("/api/sessions")).json()["sessions"]
            assert [one["session"] for one in listed] == [second]
        finally:
            await tasks.close()
        await client.delete(f"/api/sessions/{second}")
        assert (await client.delete(f"/api/sessions/{second}")).status_code == 204, "a second time is no error"
        listens = [entry for entry in trail(running) if entry.kind.startswith("listen.")]
    ends = {entry.fields["session"]: entry for entry in listens if entry.kind in ("listen.stop", "listen.lost")}
    assert [entry.fields["session"] for entry in listens if entry.kind == "listen.start"] == [first, second]
    assert (ends[first].kind, ends[first].fields["reason"]) == ("listen.lost", "node_lost")
    assert ends[first].fields["heard_s"] > 0
    assert ends[second].kind == "listen.stop"
