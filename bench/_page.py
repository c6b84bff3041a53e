"""A supervisor's page with a probe: when it was clicked, when a key went down, when sound was there. One clock: UTC."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Final

from playwright.async_api import Browser, Page

# Taps whatever goes to the loudspeaker. `__mark()` waits for sound at a frequency with an analyser of 21 ms that is
# looked at every 4 ms; `__onsets()` starts worklets that note when a burst begins. Times are epoch ms.
PROBE: Final = """
(() => {
  const connect = AudioNode.prototype.connect;
  const ears = [], ends = [];
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode && !this.__tapped) {
      this.__tapped = true;
      const ear = new AnalyserNode(this.context, { fftSize: 1024, smoothingTimeConstant: 0 });
      connect.call(this, ear);
      ears.push(ear);
      ends.push(this);
    }
    return connect.call(this, to, ...rest);
  };
  const now = () => performance.timeOrigin + performance.now();
  addEventListener('click', () => { window.__clicked = now(); }, true);
  addEventListener('keydown', (event) => { if (!event.repeat) window.__pressed = now(); }, true);
  const at = (hz) => Math.max(...ears.map((ear) => {
    const bins = new Float32Array(ear.frequencyBinCount);
    ear.getFloatFrequencyData(bins);
    return bins[Math.round(hz * ear.fftSize / ear.context.sampleRate)];
  }), -200);
  window.__at = at;
  window.__asked = [];
  const fetched = window.fetch;
  window.fetch = async (...given) => {
    const began = now();
    const answer = await fetched(...given);
    window.__asked.push([new URL(given[0]?.url ?? given[0], location).pathname, answer.status, now() - began]);
    return answer;
  };
  window.__mark = (hz, ms) => {
    window.__clicked = window.__sounded = 0;
    const until = now() + ms;
    const look = () => {
      if (window.__clicked && at(hz) > -55) window.__sounded = now();
      else if (now() < until) setTimeout(look, 0);
    };
    look();
  };
  window.__onsets = async () => {
    window.__heard = [];
    const code = `registerProcessor('bench-onset', class extends AudioWorkletProcessor {
      quiet = 0;
      process(inputs) {
        const samples = inputs[0]?.[0];
        let peak = 0;
        for (const one of samples ?? []) peak = Math.max(peak, Math.abs(one));
        if (peak < 0.05) this.quiet += 128;
        else { if (this.quiet > 0.2 * sampleRate) this.port.postMessage(Date.now()); this.quiet = 0; }
        return true;
      }
    })`;
    await ends[0].context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
    for (const end of ends) {
      const tap = new AudioWorkletNode(end.context, 'bench-onset', { numberOfOutputs: 0 });
      tap.port.onmessage = (event) => window.__heard.push(event.data);
      connect.call(end, tap);
    }
  };
})();
"""


def epoch_ms(monotonic: float | None = None) -> float:
    """Return UTC in epoch ms, now or at a time of the monotonic clock (same machine, so the same as the page's)."""
    now = time.time_ns() / 1e6
    return now if monotonic is None else now - (time.monotonic() - monotonic) * 1000


async def probed(browser: Browser, link: str) -> Page:
    """Open a page with the probe in place."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    await context.add_init_script(PROBE)
    page = await context.new_page()
    await page.goto(link)
    return page


def p95(values: Sequence[float]) -> float:
    """Return the 95th percentile: of fewer than 20 values the largest."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def summary(values: Sequence[float]) -> str:
    """Return how many there were and how they lie, in words for a figure's conditions."""
    return (
        f"{len(values)} times, min {min(values):.0f}, median {statistics.median(values):.0f}, p95 {p95(values):.0f} ms"
    )
