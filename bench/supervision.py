"""What a supervisor waits for, on the whole stack: click to sound, hop, key to whisper, server to ear."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from playwright.async_api import Page

from bench._page import epoch_ms, p95, probed, summary
from bench.figure import Figure
from livemon.demo.handset import FRAME, Mouth
from livemon.demo.schedule import NextCall
from livemon.demo.script import Script, Silence
from livemon.demo.talk import LiveCall
from livemon.demo.track import RATE, Conversation
from tests.browser import chromium
from tests.stack import Running, stack, tone
from tests.sweep import microphone

TIMES: Final = 12
LASTS_S: Final = 400.0
# Far enough apart for an analyser of 21 ms.
HZ: Final = {"201": (440.0, 1000.0), "202": (1800.0, 2600.0)}
# One packet in so many is a burst: 0.46 s, and the worklet must have heard 0.2 s of silence before.
EVERY: Final = 23
BURSTS: Final = 30
# The first seconds fill and drain the browser's buffer.
SETTLE: Final = 6


def run() -> Iterator[Figure]:
    """Measure each wait at least ten times."""
    folder = Path(tempfile.mkdtemp(prefix="lm"))
    try:
        yield from asyncio.run(_measure(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def conversation(plan: NextCall) -> Conversation:
    """Two calls hum; in the third the agent's phone sends a burst of 20 ms now and then."""
    script = Script("bench", "bench", "inbound", "orders", 1, (Silence(1.0),))
    if plan.agent.extension in HZ:
        agent, customer = HZ[plan.agent.extension]
        return Conversation(script, tone(agent, LASTS_S), tone(customer, LASTS_S))
    quiet = np.zeros(round(LASTS_S * RATE), dtype=np.int16)
    bursts = quiet.copy()
    for start in range(0, len(bursts) - FRAME, EVERY * FRAME):
        bursts[start : start + FRAME] = tone(1000, FRAME / RATE, -8.0)
    return Conversation(script, bursts, quiet)


class SendTimes:
    """Notes when a phone sends the packets that hold a burst."""

    def __init__(self, mouth: Mouth) -> None:
        self.sent: list[float] = []
        """Epoch ms."""
        packet = mouth.packet

        def noted(muted: bool = False) -> bytes | None:
            burst = mouth._next % EVERY == 0
            made = packet(muted)
            if burst and made is not None:
                self.sent.append(epoch_ms())
            return made

        mouth.packet = noted  # type: ignore[method-assign]


def _call(running: Running, extension: str) -> LiveCall:
    return next(live for live in running.centre.live if live.plan.agent.extension == extension)


async def _listen(page: Page, live: LiveCall) -> None:
    await page.get_by_role("button", name=f"Listen to {live.plan.agent.name}").click()


async def _waited(page: Page) -> float:
    await page.wait_for_function("window.__sounded > 0", polling=50, timeout=15_000)
    return float(await page.evaluate("window.__sounded - window.__clicked"))


def _figures(name: str, values: Sequence[float], goal: str, what: str, peer: str = "") -> list[Figure]:
    where = f"{what}; {summary(values)}"
    strongest = "Asterisk 22.10, ChanSpy" if peer else ""
    return [
        Figure(f"{name}_p50", round(statistics.median(values), 1), "ms", goal, where, strongest, peer),
        Figure(f"{name}_p95", round(p95(values), 1), "ms", goal, where, strongest, peer),
    ]


async def _measure(folder: Path) -> list[Figure]:
    figures: list[Figure] = []
    async with stack(folder, 3, conversation) as running:
        await running.calls_up(3)
        times = SendTimes(_call(running, "203").agent.mouth)
        async with chromium(microphone=microphone(folder)) as browser:
            page = await probed(browser, running.links["/"])
            figures += await _clicks(running, page)
            figures += await _hops(running, page)
            figures += await _keys(running, page)
            figures += await _ear(running, page, times, "webrtc")
        async with chromium("--webrtc-ip-handling-policy=disable_non_proxied_udp") as browser:
            page = await probed(browser, running.links["supervisor 1"])
            figures += await _ear(running, page, times, "fallback")
    return figures


async def _clicks(running: Running, page: Page) -> list[Figure]:
    took: list[float] = []
    for _ in range(TIMES + 1):
        await page.evaluate(f"__mark({HZ['201'][0]}, 15000)")
        await _listen(page, _call(running, "201"))
        took.append(await _waited(page))
        await page.keyboard.press("Escape")
        await asyncio.sleep(0.6)
    what = "click on Listen to the agent's tone at the loudspeaker, new session each time, warm page"
    cold = Figure("click_to_sound_first", round(took[0]), "ms", "<= 300", "the first click of a page")
    return [cold, *_figures("click_to_sound", took[1:], "<= 300", what)]


async def _hops(running: Running, page: Page) -> list[Figure]:
    await _listen(page, _call(running, "201"))
    await asyncio.sleep(1.5)
    took: list[float] = []
    for turn in range(TIMES):
        extension = ("202", "201")[turn % 2]
        await page.evaluate(f"__mark({HZ[extension][0]}, 15000)")
        await _listen(page, _call(running, extension))
        took.append(await _waited(page))
        await asyncio.sleep(0.5)
    asked: list[tuple[str, int, float]] = await page.evaluate("window.__asked")
    hops = [ms for path, status, ms in asked if path.endswith("/hop") and status == 200]
    return [
        *_figures("hop_answered", hops, "<= 50", "POST hop to its answer, through web, bus, node and audit record"),
        *_figures("hop_to_sound", took, "stated", "click on another call to its tone at the loudspeaker"),
    ]


async def _keys(running: Running, page: Page) -> list[Figure]:
    live = _call(running, "201")
    took: list[float] = []
    for turn in range(TIMES + 1):
        agent, _ = running.record(live)
        await page.keyboard.down("Space")
        async with asyncio.timeout(15):
            while agent.first_foreign is None:
                await asyncio.sleep(0.02)
        # The first press asks for the microphone.
        if turn:
            took.append(epoch_ms(agent.first_foreign) - float(await page.evaluate("window.__pressed")))
        await page.keyboard.up("Space")
        await asyncio.sleep(0.8)
    await page.keyboard.press("Escape")
    await asyncio.sleep(0.5)
    what = "Space goes down to the first packet with the whisper at the agent's phone"
    return _figures("key_to_whisper", took, "stated", what, "255 ms after a DTMF digit")


async def _ear(running: Running, page: Page, times: SendTimes, kind: str) -> list[Figure]:
    await _listen(page, _call(running, "203"))
    await asyncio.sleep(5 if kind == "fallback" else 1)
    await page.evaluate("__onsets()")
    times.sent.clear()
    await asyncio.sleep((BURSTS + SETTLE) * EVERY * 0.02)
    onsets: list[float] = await page.evaluate("window.__heard")
    took = [onset - sent for sent in times.sent[SETTLE:] for onset in onsets if 0 <= onset - sent < 400]
    goal = "<= 50" if kind == "webrtc" else "stated"
    what = f"RTP packet sent by the phone to its first sample in an audio worklet of the page, {kind}"
    peer = "21 / 36 ms until the supervisor's RTP, without a jitter buffer"
    return _figures(f"phone_to_ear_{kind}", took, goal, what, peer)
