"""The main job, end to end: a real call is heard in a real browser, and a voice reaches the agent and nobody else."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soxr

from livemon.demo.track import RATE
from tests.browser import chromium, levels, page_of, until_heard
from tests.stack import AGENT_HZ, CUSTOMER_HZ, dominant_hz, matched, stack
from tests.sweep import PAUSE_S, SWEEP_S, microphone, sweep

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.needs("chromium")]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: Unix sockets live in it."""
    made = Path(tempfile.mkdtemp(prefix="lm"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def test_listen_whisper_and_stop_in_chromium(folder: Path) -> None:
    async with stack(folder) as running, chromium(microphone=microphone(folder)) as browser:
        (live,) = await running.calls_up(1)
        agent, customer = running.record(live)
        page, errors = await page_of(browser)
        await page.goto(running.links["/"])
        await page.get_by_role("button", name=re.compile("^Listen")).first.click()
        await until_heard(page, AGENT_HZ, CUSTOMER_HZ)
        # Listening alone reaches nobody.
        assert agent.foreign == 0
        await page.keyboard.down("Space")
        await page.get_by_text("the customer cannot hear").wait_for(timeout=5000)
        await asyncio.sleep(4 * (SWEEP_S + PAUSE_S))
        await page.keyboard.up("Space")
        await asyncio.sleep(0.5)
        wanted = sweep(RATE)
        score, _ = matched(agent.samples, wanted)
        assert score > 0.3, score
        score, _ = matched(customer.samples, wanted)
        assert score < 0.1, score
        assert customer.foreign == 0
        assert dominant_hz(customer.samples) == pytest.approx(AGENT_HZ, abs=2)
        # The key is up: the agent hears the customer alone again.
        agent.heard.clear()
        await asyncio.sleep(1.0)
        assert dominant_hz(agent.samples) == pytest.approx(CUSTOMER_HZ, abs=2)
        assert matched(agent.samples, wanted[: RATE // 2])[0] < 0.1
        await page.keyboard.press("Escape")
        await asyncio.sleep(1.0)
        assert max(await levels(page, AGENT_HZ, CUSTOMER_HZ)) < -60
        assert errors == []


def test_the_sweep_survives_the_telephone_band() -> None:
    narrow = soxr.resample(sweep(48000).astype(np.float64), 48000, RATE)
    assert matched(np.round(narrow).astype(np.int16), sweep(RATE))[0] > 0.95
