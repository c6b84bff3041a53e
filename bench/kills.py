"""Processes killed with SIGKILL under 20 calls: packets lost at the phones, and when the supervisor hears again."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from playwright.async_api import Page

from bench.figure import Figure
from tests.browser import chromium, levels, page_of, until_heard
from tests.stack import AGENT_HZ, CUSTOMER_HZ, Recorder, Running, stack

CALLS = 20
# Long enough for every restart, short enough to be bounded.
WATCH_S = 8.0


def run() -> Iterator[Figure]:
    """Kill node, web, control and media in turn."""
    folder = Path(tempfile.mkdtemp(prefix="lm"))
    try:
        yield from asyncio.run(_measure(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measure(folder: Path) -> list[Figure]:
    figures: list[Figure] = []
    async with stack(folder, CALLS) as running, chromium() as browser:
        await running.calls_up(CALLS)
        page, _ = await page_of(browser)
        await page.goto(running.links["/"])
        await page.get_by_role("button", name=re.compile("^Listen")).first.click()
        await until_heard(page, AGENT_HZ, CUSTOMER_HZ)
        for name in ("node", "web", "control", "media"):
            figures += await _kill(running, page, name)
            await until_heard(page, AGENT_HZ, CUSTOMER_HZ, seconds=20)
            await asyncio.sleep(2)
        figures.append(await _browser_dies(running, page))
    return figures


def victim(running: Running, name: str) -> int:
    """Return the process id of a part."""
    direct = {"node": "node-0", "web": "web"}.get(name)
    if direct is not None:
        pid = running.supervisor.pid(direct)
        assert pid is not None
        return pid
    bridge = running.supervisor.pid("bridge")
    assert bridge is not None
    words = {"control": "sip_bridge.control", "media": "sip_bridge.media.host"}[name]
    return next(child.pid for child in psutil.Process(bridge).children() if words in child.cmdline())


async def _kill(running: Running, page: Page, name: str) -> list[Figure]:
    recorders: list[Recorder] = []
    calls = running.centre.live
    for live in calls:
        recorders += running.record(live)
    before = sum(live.agent.mouth.sent + live.customer.mouth.sent for live in calls)
    heard = sum(recorder.packets for recorder in recorders)
    os.kill(victim(running, name), signal.SIGKILL)
    began = time.monotonic()
    silent, back = False, 0.0
    while time.monotonic() < began + WATCH_S:
        quiet = min(await levels(page, AGENT_HZ, CUSTOMER_HZ)) < -60
        if quiet:
            silent = True
        elif silent:
            back, silent = time.monotonic() - began, False
        await asyncio.sleep(0.02)
    sent = sum(live.agent.mouth.sent + live.customer.mouth.sent for live in calls) - before
    await asyncio.sleep(0.3)
    received = sum(recorder.packets for recorder in recorders) - heard
    gap = max(recorder.longest_gap for recorder in recorders)
    # What was on the way when counting began and ended: a packet of each phone at most.
    lost = max(0, sent - received)
    where = f"kill -9 of {name}, {CALLS} calls, {sent} packets sent, {received} received"
    return [
        Figure(f"kill_{name}_lost", lost, "packets", "0", where),
        Figure(f"kill_{name}_gap", round(1000 * gap), "ms", "<= 150 for media, <= 40 else", where),
        Figure(f"kill_{name}_audio_back", None if silent else round(back, 2), "s", "<= 3", where),
    ]


async def _browser_dies(running: Running, page: Page) -> Figure:
    browser = page.context.browser
    assert browser is not None
    client = await running.signed_in()
    for process in psutil.process_iter(["cmdline"]):
        if "--use-fake-ui-for-media-stream" in (process.info["cmdline"] or []) and process.is_running():
            process.kill()
    began = time.monotonic()
    while time.monotonic() < began + 40:
        sessions = (await client.get("/api/sessions")).json()
        if not sessions.get("sessions"):
            break
        await asyncio.sleep(0.1)
    seconds = time.monotonic() - began
    await client.aclose()
    return Figure("kill_browser_session_closed", round(seconds, 1), "s", "stated", "kill -9 of every browser process")
