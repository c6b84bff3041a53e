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
from tests.stack import AGENT_HZ, CUSTOMER_HZ, Recorder, Running, stack, victim

CALLS = 20
# Long enough for every restart, short enough to be bounded.
WATCH_S = 8.0
# By then the supervisor has a spare of what was started last (livemon.serve.SPARE_AFTER and the time to load it).
SPARE_S = 10.0


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
            if not await _listening(page):
                break  # the figures above say so; what follows would measure the same failure
        figures.append(await _browser_dies(running, page))
    return figures


async def _listening(page: Page) -> bool:
    try:
        await until_heard(page, AGENT_HZ, CUSTOMER_HZ, seconds=20)
    except AssertionError:
        return False
    return True


async def _kill(running: Running, page: Page, name: str) -> list[Figure]:
    calls = running.centre.live
    recorders: list[Recorder] = [recorder for live in calls for recorder in running.record(live)]
    await asyncio.sleep(SPARE_S if name in ("node", "web") else 0.5)
    os.kill(victim(running, name), signal.SIGKILL)
    began = time.monotonic()
    silences: list[tuple[float, float]] = []
    since: float | None = None
    while (now := time.monotonic() - began) < WATCH_S:
        if min(await levels(page, AGENT_HZ, CUSTOMER_HZ)) < -60:
            since = now if since is None else since
        elif since is not None:
            silences.append((since, now))
            since = None
        await asyncio.sleep(0.02)
    back = None if since is not None else max((end for _, end in silences), default=0.0)
    received = sum(recorder.sequences.received for recorder in recorders)
    missing = sum(recorder.sequences.missing for recorder in recorders)
    gap = max(recorder.longest_gap for recorder in recorders)
    where = f"kill -9 of {name}, {CALLS} calls, {received} packets received by {len(recorders)} phones"
    heard = f"{where}; silences at the page {[(round(a, 2), round(b, 2)) for a, b in silences]}"
    return [
        Figure(f"kill_{name}_lost", missing, "packets", "0", f"{where}; holes in the sequence numbers"),
        Figure(f"kill_{name}_gap", round(1000 * gap), "ms", "<= 150 for media, <= 40 else", where),
        Figure(f"kill_{name}_audio_back", None if back is None else round(back, 2), "s", "<= 3", heard),
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
