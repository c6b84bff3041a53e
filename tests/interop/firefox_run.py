"""What Firefox hears and says, as one JSON line; run in a network namespace by `test_firefox_listen.py`."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import sys
from typing import Any

import av
import numpy as np

from tests.bidi import Tab, firefox
from tests.listen_page import Site, site
from tests.listening import from_ulaw, peak_hz


async def recorded(tab: Tab, slot: int) -> tuple[float, float]:
    """Return the strongest frequency of a slot, and its share, as a recording of the element has it."""
    data = base64.b64decode(await tab.evaluate(f"record({slot}, 1500)"))
    container = av.open(io.BytesIO(data), "r")
    stream = container.streams.audio[0]
    samples = np.concatenate([frame.to_ndarray().mean(axis=0) for frame in container.decode(stream)])
    return peak_hz(samples[len(samples) // 2 :], stream.rate)


async def until(tab: Tab, expression: str) -> None:
    async with asyncio.timeout(15):
        while not await tab.evaluate(expression):
            await asyncio.sleep(0.1)


async def play(made: Site, tab: Tab) -> dict[str, Any]:
    """Click, listen, hop, whisper, restart ICE, close."""
    seen: dict[str, Any] = {}
    await tab.goto(made.origin + "/")
    await tab.click("#plain")
    await until(tab, "!!(stages.connected || stages.error)")
    seen["stages"] = await tab.evaluate("stages")
    seen["paused"] = await tab.evaluate("elements.map((element) => element.paused)")
    await asyncio.sleep(1)
    seen["agent"], seen["customer"] = await recorded(tab, 0), await recorded(tab, 1)
    chunks = made.calls.live["call-1"].bridge.chunks
    await tab.evaluate("key('whisper')")
    await asyncio.sleep(2)
    await tab.evaluate("key('listen')")
    await asyncio.sleep(0.3)
    seen["chunks"] = len(chunks)
    heard = np.concatenate([from_ulaw(chunk.payload) for chunk in chunks[20:]])
    seen["microphone"] = peak_hz(heard, 8000)
    await asyncio.sleep(0.3)
    seen["chunks_after_key_up"] = len(chunks) - seen["chunks"]
    await tab.evaluate("post('/hop', { session, call: 'call-2' }).then(() => 1)")
    await asyncio.sleep(0.5)
    seen["hop"] = await recorded(tab, 0)
    await tab.evaluate("restart().then(() => 1)")
    await asyncio.sleep(1.5)
    seen["restart"] = await recorded(tab, 1)
    await tab.evaluate("(pc.close(), 1)")
    async with asyncio.timeout(15):
        while made.states.last.state != "closed":
            await asyncio.sleep(0.05)
    seen["closed"] = made.states.last.refused
    return seen


async def main(host: str) -> None:
    async with site(host) as made, firefox() as tab:
        sys.stdout.write(json.dumps(await play(made, tab)) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
