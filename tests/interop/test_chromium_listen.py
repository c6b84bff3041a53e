"""Chromium with its default autoplay policy listens, whispers, hops, restarts ICE and falls back."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from playwright.async_api import Page

from tests.listen_page import Site, chromium, match, page_of, site, voice
from tests.listening import from_ulaw, open_descriptors

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.needs("chromium"),
]


@pytest.fixture
async def bare() -> AsyncIterator[Site]:
    async with site() as made:
        yield made


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def listen(page: Page, button: str = "#listen") -> None:
    await page.click(button)
    await page.wait_for_function("stages.connected || stages.error", timeout=10_000)
    assert await page.evaluate("stages.error") is None


async def hears(page: Page, slot: int, hz: float) -> None:
    assert await page.evaluate("([slot, hz]) => until(slot, hz, 5000)", [slot, hz]) >= 0
    await asyncio.sleep(0.7)
    found: list[dict[str, Any]] = await page.evaluate("peaks()")
    assert abs(found[slot]["hz"] - hz) < 15
    assert found[slot]["rms"] > 0.05


async def test_one_click_and_both_legs_are_heard(bare: Site) -> None:
    async with chromium() as browser:
        page = await page_of(browser, bare.origin)
        await listen(page)
        await hears(page, 0, 440)
        await hears(page, 1, 880)
        silent = (await page.evaluate("peaks()"))[2]
        assert silent["rms"] < 0.001
        assert bare.audit.kinds()[0] == "listen.start"


async def test_hop_needs_no_new_connection(bare: Site) -> None:
    async with chromium() as browser:
        page = await page_of(browser, bare.origin)
        await listen(page)
        await hears(page, 0, 440)
        await page.evaluate("post('/hop', { session, call: 'call-2' })")
        await hears(page, 0, 1200)
        await hears(page, 1, 1600)
        assert await page.evaluate("pc.connectionState") == "connected"


async def test_an_ice_restart_keeps_the_sound(bare: Site) -> None:
    async with chromium() as browser:
        page = await page_of(browser, bare.origin)
        await listen(page)
        await hears(page, 0, 440)
        before = await page.evaluate("opened.sdp.match(/ice-ufrag:(.*)/)[1]")
        await page.evaluate("restart()")
        assert before not in await page.evaluate("pc.remoteDescription.sdp")
        await asyncio.sleep(1.5)
        await hears(page, 1, 880)


@pytest.mark.parametrize("button", ["#listen", "#fallback"])
async def test_the_microphone_arrives_while_the_key_is_held(bare: Site, tmp_path: Path, button: str) -> None:
    pattern = voice(tmp_path / "mic.wav")
    async with chromium(f"--use-file-for-fake-audio-capture={tmp_path / 'mic.wav'}") as browser:
        page = await page_of(browser, bare.origin)
        await listen(page, button)
        chunks = bare.calls.live["call-1"].bridge.chunks
        await page.evaluate("key('whisper')")
        await until(lambda: len(chunks) > 230)
        await page.evaluate("key('listen')")
        await asyncio.sleep(0.3)
        count = len(chunks)
        await asyncio.sleep(0.5)
        assert len(chunks) == count
        heard = np.concatenate([from_ulaw(chunk.payload) for chunk in chunks])
        assert match(heard, pattern[2000:10000]) > 0.6
        assert match(heard, voice(tmp_path / "other.wav", seed=8)[2000:10000]) < 0.3


async def test_the_fallback_is_heard_and_hops(bare: Site) -> None:
    async with chromium() as browser:
        page = await page_of(browser, bare.origin)
        await listen(page, "#fallback")
        await hears(page, 0, 440)
        await hears(page, 1, 880)
        assert bare.states.last.transport == "websocket"
        await page.evaluate("post('/hop', { session, call: 'call-2' })")
        await hears(page, 0, 1200)


async def test_a_page_that_is_closed_ends_the_session(bare: Site) -> None:
    async with chromium() as browser:
        page = await page_of(browser, bare.origin)
        await listen(page, "#fallback")
        await page.close()
        await until(lambda: bare.states.last.state == "closed")
        await until(lambda: "listen.stop" in bare.audit.kinds())


async def test_fifty_sessions_leave_nothing_behind(bare: Site) -> None:
    async with chromium() as browser:
        page = await page_of(browser, bare.origin)
        figures: list[tuple[int, int, int]] = []
        for n in range(50):
            await page.evaluate("start('call-1')")
            await page.evaluate("post('/close', { session }).then(() => pc.close())")
            if n in (9, 49):
                await until(lambda: bare.service.counters()["listen_sessions"] == 0)
                await asyncio.sleep(0.3)
                gc.collect()
                memory = psutil.Process().memory_info().rss
                figures.append((len(asyncio.all_tasks()), open_descriptors(), memory))
        (tasks, descriptors, memory), (tasks_after, descriptors_after, memory_after) = figures
        assert tasks_after <= tasks
        assert descriptors_after <= descriptors
        assert memory_after - memory < 8 << 20
        assert len(bare.udp.mux) == 0
