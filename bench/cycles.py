"""Fifty times listen and stop in Chromium on the whole stack: what stays behind in node and web."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import psutil
from playwright.async_api import Page

from bench._page import probed
from bench.figure import Figure
from tests.browser import chromium
from tests.stack import AGENT_HZ, Running, stack

# What grows once (imports, caches, the allocator's pools) has grown after ten.
WARM: Final = 10
CYCLES: Final = 50
# About an hour: a leak of one descriptor in a hundred sessions shows.
SOAK_CYCLES: Final = 3000


class Held(NamedTuple):
    """What a process holds."""

    descriptors: int
    threads: int
    rss_mb: float


def run(cycles: int = CYCLES) -> Iterator[Figure]:
    """Listen and stop, again and again."""
    folder = Path(tempfile.mkdtemp(prefix="lm"))
    try:
        yield from asyncio.run(_measure(folder, cycles))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def soak() -> Iterator[Figure]:
    """The same for about an hour."""
    return run(SOAK_CYCLES)


def held(running: Running, name: str) -> Held:
    process = psutil.Process(running.supervisor.pid(name))
    return Held(process.num_fds(), process.num_threads(), process.memory_info().rss / 2**20)


async def _cycle(running: Running, page: Page, times: int) -> None:
    agent = running.centre.live[0].plan.agent.name
    for _ in range(times):
        await page.evaluate(f"__mark({AGENT_HZ}, 15000)")
        await page.get_by_role("button", name=f"Listen to {agent}").click()
        await page.wait_for_function("window.__sounded > 0", polling=50, timeout=15_000)
        await page.keyboard.press("Escape")
        # The page forgets at once; the sound has to be gone from the analyser.
        await page.wait_for_function(f"window.__at({AGENT_HZ}) < -80", polling=50, timeout=15_000)


async def _quiet(running: Running) -> int:
    """Wait until no session is left; return how many there still are after ten seconds."""
    client = await running.signed_in()
    try:
        for _ in range(40):
            left = len((await client.get("/api/sessions")).json()["sessions"])
            if not left:
                break
            await asyncio.sleep(0.25)
    finally:
        await client.aclose()
    return left


async def _measure(folder: Path, cycles: int) -> list[Figure]:
    async with stack(folder) as running, chromium() as browser:
        await running.calls_up(1)
        page = await probed(browser, running.links["/"])
        await _cycle(running, page, WARM)
        await asyncio.sleep(2)
        before = {name: held(running, name) for name in ("node-0", "web")}
        await _cycle(running, page, cycles)
        left = await _quiet(running)
        await asyncio.sleep(2)
        after = {name: held(running, name) for name in ("node-0", "web")}
    where = f"{cycles} times listen, sound, stop in Chromium, after {WARM} to warm up"
    figures = [Figure("cycles_sessions_left", left, "sessions", "0", where)]
    for name, then in before.items():
        now, part = after[name], name.split("-")[0]
        told = f"{where}; {then.descriptors} descriptors, {then.threads} threads, {then.rss_mb:.1f} MB before"
        figures += [
            Figure(f"cycles_{part}_descriptors", now.descriptors - then.descriptors, "descriptors", "<= 0", told),
            Figure(f"cycles_{part}_threads", now.threads - then.threads, "threads", "<= 0", told),
            Figure(f"cycles_{part}_rss", round(now.rss_mb - then.rss_mb, 1), "MB", "flat", told),
        ]
    return figures
