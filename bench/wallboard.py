"""Dead air on real calls: from the threshold (last speech the phone sent, and 10 s) to the pixel on the wallboard."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from bench._page import epoch_ms, p95, summary
from bench.figure import Figure
from livemon.demo.handset import FRAME, Mouth
from livemon.demo.schedule import NextCall
from livemon.demo.script import Script, Silence
from livemon.demo.track import RATE, Conversation
from tests.browser import chromium, page_of
from tests.speechlike import voice
from tests.stack import stack

CALLS: Final = 6
THRESHOLD_MS: Final = 10_000
TALKS_S: Final = 6.0
# Calls fall silent at different phases of every clock of livemon.
APART_S: Final = 1.37
LASTS_S: Final = 60.0

# Notes when a tile gets a severity: {name: {severity: epoch ms of the frame that shows it}}.
WATCH: Final = """
window.__seen = {};
const look = () => {
  for (const tile of document.querySelectorAll('li.tile')) {
    const name = tile.querySelector('.name')?.textContent.slice(0, 3);
    const severity = tile.dataset.severity;
    const of = (window.__seen[name] ??= {});
    if (name && severity && !of[severity]) {
      of[severity] = 1;
      // After the next frame is painted: when it can be seen, not when it was written.
      requestAnimationFrame(() => setTimeout(() => {
        of[severity] = performance.timeOrigin + performance.now();
      }, 0));
    }
  }
};
new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
"""


def run() -> Iterator[Figure]:
    """Let several calls fall silent, one after the other."""
    folder = Path(tempfile.mkdtemp(prefix="lm"))
    try:
        yield from asyncio.run(_measure(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def talks_s(extension: str) -> float:
    """Return how long the agent of this call talks before nobody does."""
    return TALKS_S + APART_S * (int(extension) - 201)


def conversation(plan: NextCall) -> Conversation:
    """The agent talks, then there is the noise of a quiet room."""
    script = Script("bench", "bench", "inbound", "orders", 1, (Silence(1.0),))
    room = np.random.default_rng(plan.seed).normal(0.0, 16.0, round(LASTS_S * RATE))
    sound = voice(talks_s(plan.agent.extension)) * 32768
    agent = room.copy()
    agent[: len(sound)] += sound
    cut = np.clip(np.round(agent), -32768, 32767).astype(np.int16)
    return Conversation(script, cut, np.round(room[::-1]).astype(np.int16))


class LastWord:
    """Notes when a phone has sent its last packet of speech."""

    def __init__(self, mouth: Mouth, seconds: float) -> None:
        self.at_ms = 0.0
        packet = mouth.packet
        last = round(seconds * RATE) // FRAME

        def noted(muted: bool = False) -> bytes | None:
            if mouth._next == last:
                self.at_ms = epoch_ms()
            return packet(muted)

        mouth.packet = noted  # type: ignore[method-assign]


async def _measure(folder: Path) -> list[Figure]:
    async with chromium() as browser, stack(folder, CALLS, conversation) as running:
        calls = await running.calls_up(CALLS)
        words = {live.plan.agent.name: LastWord(live.agent.mouth, talks_s(live.plan.agent.extension)) for live in calls}
        page, _ = await page_of(browser, 1920, 1080)
        await page.add_init_script(WATCH)
        await page.goto(running.links["/wallboard"])
        # Until the last call is far enough in its silence for the third step.
        await asyncio.sleep(TALKS_S + APART_S * CALLS + THRESHOLD_MS / 1000 + 3)
        seen: dict[str, dict[str, float]] = await page.evaluate("window.__seen")
    took = [
        seen[name[:3]]["alert"] - word.at_ms - THRESHOLD_MS
        for name, word in words.items()
        if word.at_ms and seen.get(name[:3], {}).get("alert", 0) > 1
    ]
    what = (
        f"{len(took)} of {CALLS} calls; last speech packet sent + 10.000 s to the frame with the alert; {summary(took)}"
    )
    return [
        Figure("dead_air_to_pixel_p50", round(statistics.median(took)), "ms", "<= 300", what),
        Figure("dead_air_to_pixel_p95", round(p95(took)), "ms", "<= 300", what),
    ]
