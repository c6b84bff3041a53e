"""Headless Chromium for tests: default autoplay policy, a microphone that plays a file, a tap on the sound."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # 127.0.0.1 is no ICE candidate otherwise.
    "--allow-loopback-in-peer-connection",
    # The user's yes to the microphone, and a microphone.
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)

# Everything that goes to the loudspeaker also goes to an analyser of ours; nothing of the page is changed.
TAP: Final = """
(() => {
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode && !this.__tapped) {
      this.__tapped = true;
      const analyser = new AnalyserNode(this.context, { fftSize: 16384, smoothingTimeConstant: 0 });
      connect.call(this, analyser);
      (window.__ears ??= []).push(analyser);
    }
    return connect.call(this, to, ...rest);
  };
  window.__spectrum = (wanted) => {
    const levels = wanted.map(() => -200);
    for (const ear of window.__ears ?? []) {
      const bins = new Float32Array(ear.frequencyBinCount);
      ear.getFloatFrequencyData(bins);
      const width = ear.context.sampleRate / ear.fftSize;
      wanted.forEach((hz, n) => {
        const middle = Math.round(hz / width);
        for (let k = middle - 3; k <= middle + 3; k++) levels[n] = Math.max(levels[n], bins[k]);
      });
    }
    return levels;
  };
})();
"""


@asynccontextmanager
async def chromium(*flags: str, microphone: Path | None = None) -> AsyncIterator[Browser]:
    """Start Chromium; `microphone` is a WAV file that the microphone plays over and over."""
    words = [*FLAGS, *flags]
    if microphone is not None:
        words.append(f"--use-file-for-fake-audio-capture={microphone}")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=words)
        try:
            yield browser
        finally:
            await browser.close()


async def page_of(browser: Browser, width: int = 1440, height: int = 900) -> tuple[Page, list[str]]:
    """Open a page with the tap in place; the list collects errors of the page."""
    context = await browser.new_context(viewport={"width": width, "height": height})
    await context.add_init_script(TAP)
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(f"{said.text} {said.location}") if said.type == "error" else None)
    return page, errors


async def levels(page: Page, *hz: float) -> list[float]:
    """Return how strong these frequencies are at the loudspeaker, in dB of the analyser."""
    found = await page.evaluate("(wanted) => window.__spectrum(wanted)", list(hz))
    return [float(one) for one in found]


async def until_heard(page: Page, *hz: float, above: float = -50.0, seconds: float = 10.0) -> None:
    """Wait until all these frequencies are at the loudspeaker."""
    for _ in range(round(seconds * 20)):
        if min(await levels(page, *hz)) > above:
            return
        await page.wait_for_timeout(50)
    raise AssertionError(f"{hz} Hz not heard within {seconds} s: {await levels(page, *hz)} dB")


def write_wav(path: Path, samples: npt.NDArray[np.int16], rate: int) -> None:
    """Write a mono WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
