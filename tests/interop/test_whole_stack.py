"""What a supervisor does beyond the main job, end to end: hop, speak to both, share a call, fall back, watch the wall.

One stack serves every test here: Ada and Ben hum a tone of their own, Cleo talks all the time, Dan talks and falls
silent. Firefox is held against the listening service in test_firefox_listen.py.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from livemon.demo.schedule import NextCall
from livemon.demo.script import Script, Silence
from livemon.demo.talk import LiveCall
from livemon.demo.track import RATE, Conversation, Samples
from tests.browser import chromium, levels, page_of, until_heard
from tests.speechlike import voice
from tests.stack import Recorder, Running, dominant_hz, matched, own_hz, own_tones, stack
from tests.sweep import SWEEP_S, microphone, sweep

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TALKS_S = 3.0
LASTS_S = 600.0

# Counts offers and answers: a hop must need none.
NEGOTIATIONS = """
window.__offers = 0;
const original = RTCPeerConnection.prototype.setLocalDescription;
RTCPeerConnection.prototype.setLocalDescription = function (...given) {
  window.__offers++;
  return original.apply(this, given);
};
"""


def speech(seconds: float) -> Samples:
    """Speech-like sound, then the noise of a quiet room until `LASTS_S`."""
    room = np.random.default_rng(7).normal(0.0, 16.0, round(LASTS_S * RATE))
    if seconds:
        sound = voice(min(seconds, 20.0)) * 32768
        repeated = np.tile(sound, max(1, round(seconds / 20.0)))
        room[: len(repeated)] += repeated[: len(room)]
    return np.clip(np.round(room), -32768, 32767).astype(np.int16)


def conversation(plan: NextCall) -> Conversation:
    if plan.agent.extension in ("201", "202"):
        return own_tones(plan, LASTS_S)
    script = Script("talks", "talks", "inbound", "orders", 1, (Silence(1.0),))
    talks = LASTS_S if plan.agent.extension == "203" else TALKS_S
    return Conversation(script, speech(talks), speech(0.0))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[tuple[Running, Browser]]:
    """A livemon with four calls, and a browser whose microphone plays the sweep."""
    folder = Path(tempfile.mkdtemp(prefix="lm"))
    try:
        async with stack(folder, 4, conversation) as running, chromium(microphone=microphone(folder)) as browser:
            await running.calls_up(4)
            yield running, browser
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def call_of(running: Running, extension: str) -> LiveCall:
    return next(live for live in running.centre.live if live.plan.agent.extension == extension)


async def supervisor(running: Running, browser: Browser, number: int) -> tuple[Page, list[str]]:
    page, errors = await page_of(browser)
    await page.add_init_script(NEGOTIATIONS)
    await page.goto(running.links[f"supervisor {number}"])
    return page, errors


async def listen(page: Page, live: LiveCall) -> None:
    await page.get_by_role("button", name=f"Listen to {live.plan.agent.name}").click()


async def heard_within(recorder: Recorder, seconds: float = 12.0) -> float:
    """Return how well the sweep is found, as soon as it is found or the time is over."""
    score = 0.0
    until = time.monotonic() + seconds
    while score <= 0.3 and time.monotonic() < until:
        await asyncio.sleep(SWEEP_S)
        # The last seconds are enough, and cheap to search.
        score, _ = matched(recorder.samples[-4 * RATE :], sweep(RATE))
    return score


def hears_nobody_else(recorder: Recorder, hz: float) -> None:
    assert recorder.foreign == 0
    assert matched(recorder.samples, sweep(RATE))[0] < 0.1
    assert dominant_hz(recorder.samples) == pytest.approx(hz, abs=2)


async def test_the_wallboard_shows_who_fell_silent(house: tuple[Running, Browser]) -> None:
    running, browser = house
    page, errors = await page_of(browser, 1920, 1080)
    await page.goto(running.links["/wallboard"])
    tile = page.locator("li.tile", has_text="Dan")
    await tile.wait_for(timeout=40_000)
    assert "Dead air" in (await tile.inner_text())
    await page.locator("li.tile[data-severity=critical]", has_text="Dan").wait_for(timeout=40_000)
    assert await page.locator("li.tile", has_text="Cleo").count() == 0
    assert errors == []
    await page.context.close()


async def test_a_hop_needs_no_new_connection(house: tuple[Running, Browser]) -> None:
    running, browser = house
    page, errors = await supervisor(running, browser, 1)
    ada, ben = call_of(running, "201"), call_of(running, "202")
    await listen(page, ada)
    await until_heard(page, *own_hz("201"))
    offers = await page.evaluate("window.__offers")
    for live, other in ((ben, ada), (ada, ben)):
        await listen(page, live)
        await until_heard(page, *own_hz(live.plan.agent.extension))
        # The analyser looks back a third of a second.
        await asyncio.sleep(0.5)
        assert max(await levels(page, *own_hz(other.plan.agent.extension))) < -60
    assert await page.evaluate("window.__offers") == offers == 1
    assert errors == []
    await page.context.close()


async def test_barge_reaches_both_after_it_is_confirmed(house: tuple[Running, Browser]) -> None:
    running, browser = house
    live = call_of(running, "201")
    page, errors = await supervisor(running, browser, 2)
    await listen(page, live)
    await until_heard(page, *own_hz("201"))
    agent, customer = running.record(live)
    await page.get_by_role("button", name=re.compile("^Speak to both")).click()
    await asyncio.sleep(1.0)
    # The question alone opens nothing.
    assert agent.foreign == customer.foreign == 0
    await page.get_by_role("alertdialog").get_by_role("button", name="Speak to both").click()
    await asyncio.sleep(1.0)
    assert agent.foreign == customer.foreign == 0
    await page.get_by_role("button", name="Keep open").click()
    await page.get_by_text("Both hear you").wait_for(timeout=10_000)
    scores = await asyncio.gather(heard_within(agent), heard_within(customer))
    assert min(scores) > 0.3, scores
    await page.get_by_role("button", name="Back to whisper").click()
    await asyncio.sleep(1.0)
    agent, customer = running.record(live)
    await asyncio.sleep(1.0)
    assert agent.foreign == customer.foreign == 0
    assert errors == []
    await page.context.close()


async def test_two_supervisors_share_a_call(house: tuple[Running, Browser]) -> None:
    running, browser = house
    live = call_of(running, "202")
    (one, errors), (two, others) = [await supervisor(running, browser, number) for number in (3, 4)]
    for page in (one, two):
        await listen(page, live)
        await until_heard(page, *own_hz("202"))
    for page in (one, two):
        agent, customer = running.record(live)
        await page.bring_to_front()
        await page.keyboard.down("Space")
        await page.get_by_text("the customer cannot hear").wait_for(timeout=10_000)
        score = await heard_within(agent)
        await page.keyboard.up("Space")
        assert score > 0.3, score
        hears_nobody_else(customer, own_hz("202")[0])
        await asyncio.sleep(0.5)
    # One leaves; the other goes on listening.
    await one.keyboard.press("Escape")
    await asyncio.sleep(1.0)
    assert max(await levels(one, *own_hz("202"))) < -60
    assert min(await levels(two, *own_hz("202"))) > -50
    assert errors == others == []
    await one.context.close()
    await two.context.close()


async def test_without_udp_the_page_falls_back(house: tuple[Running, Browser], tmp_path: Path) -> None:
    running, _ = house
    live = call_of(running, "201")
    flag = "--webrtc-ip-handling-policy=disable_non_proxied_udp"
    async with chromium(flag, microphone=microphone(tmp_path)) as browser:
        page, _ = await supervisor(running, browser, 5)
        began = time.monotonic()
        await listen(page, live)
        await until_heard(page, *own_hz("201"), seconds=20)
        # Four seconds of waiting for WebRTC, and what a loaded machine needs.
        assert time.monotonic() - began < 10
        await page.get_by_text("By WebSocket, more delay").wait_for(timeout=5000)
        async with httpx.AsyncClient(base_url=running.stage.url) as client:
            await client.get(running.links["supervisor 6"])
            sessions = (await client.get("/api/sessions")).json()["sessions"]
        assert [one["transport"] for one in sessions] == ["websocket"]
        agent, customer = running.record(live)
        await page.keyboard.down("Space")
        await page.get_by_text("the customer cannot hear").wait_for(timeout=10_000)
        score = await heard_within(agent)
        await page.keyboard.up("Space")
        assert score > 0.3, score
        hears_nobody_else(customer, own_hz("201")[0])
        # The second call is not made to wait for WebRTC again.
        await page.keyboard.press("Escape")
        await listen(page, call_of(running, "202"))
        await until_heard(page, *own_hz("202"), seconds=3)
