"""A bare listening service behind a small HTTP server, for browsers: pages, open, mode, hop, restart, close."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from playwright.async_api import Browser, Page, async_playwright

from livemon.bus.messages import ListenClose, ListenHop, ListenMode, ListenOpen, ListenRestart
from livemon.errors import Refused
from livemon.listen.fallback import FallbackServer
from livemon.listen.ports import LegMedia
from livemon.listen.service import ListenService
from livemon.listen.udp import UdpPort
from sip_bridge.tasks import Tasks
from tests.listening import Calls, FakeCall, MemoryAudit, States, Wire, principal

PAGES = Path(__file__).parent / "interop" / "pages"
CHROMIUM = Path("/usr/bin/chromium")
# No autoplay flag: the click of the test is the gesture, as with a person.
FLAGS = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
)


class Site:
    """Two calls with a tone on every leg, and a page that listens to them."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.calls.add(
            FakeCall(),
            FakeCall("call-2", "seg-2", agent_leg=LegMedia(11, "agent"), customer_leg=LegMedia(12, "customer")),
        )
        self.audit = MemoryAudit()
        self.states = States()
        self.wires = [Wire(1, 440), Wire(2, 880), Wire(11, 1200), Wire(12, 1600)]
        self.bursts: list[float] = []
        self.burst_every = 0
        self.stop_tones = False
        self._tasks = Tasks("site")

    async def start(self, host: str = "127.0.0.1") -> None:
        self.udp = UdpPort.bind(host, 0)
        self.service = ListenService(self.calls, self.audit, self.states, self.udp)
        self._http = await asyncio.start_server(self._serve, host, 0)
        port = self._http.sockets[0].getsockname()[1]
        self.origin = f"http://{host}:{port}"
        self.fallback = await FallbackServer.start(self.service, host, 0, [self.origin])
        self.service.fallback_url = f"ws://{host}:{self.fallback.port}/"
        self._tasks.start(self._tones(), "tones")

    async def stop(self) -> None:
        await self._tasks.close()
        await self.service.aclose()
        await self.fallback.close()
        self._http.close()
        self.udp.close()

    async def _tones(self) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        n = 0
        while True:
            silent = bytes([0xFF]) * 160
            quiet = bool(self.burst_every) and n % self.burst_every != 0
            for wire in self.wires:
                packet = wire.packet(int(loop.time() * 1e6), silent if quiet else None)
                self.service.on_packet(packet, "b1")
            if self.burst_every and not quiet:
                self.bursts.append(loop.time())
            n += 1
            await asyncio.sleep(max(0.0, start + n * 0.02 - loop.time()))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path, _ = head.split(" ", 2)
            length = next((int(h[15:]) for h in head.split("\r\n") if h.lower().startswith("content-length:")), 0)
            body = await reader.readexactly(length)
            if method == "POST":
                kind, content = "application/json", await self._call(path, json.loads(body))
            else:
                name = path.removeprefix("/pages/").strip("/") or "listen.html"
                kind = "text/javascript" if name.endswith(".js") else "text/html"
                content = (PAGES / name).read_bytes() if (PAGES / name).is_file() else b""
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n".encode())
            writer.write(b"Connection: close\r\n\r\n" + content)
            await writer.drain()
        finally:
            writer.close()

    async def _call(self, path: str, body: dict[str, Any]) -> bytes:
        who = principal()
        service = self.service
        try:
            match path:
                case "/open":
                    answer: Any = await service.open(ListenOpen(who, body["call"], body["sdp"], "192.0.2.7"))
                case "/mode":
                    answer = await service.mode(ListenMode(who, body["session"], body["mode"]))
                case "/hop":
                    answer = await service.hop(ListenHop(who, body["session"], body["call"]))
                case "/restart":
                    answer = await service.restart(ListenRestart(who, body["session"], body["sdp"]))
                case _:
                    answer = await service.close(ListenClose(who, body["session"]))
        except Refused as refused:
            answer = {"error": refused.id}
        return msgspec.json.encode(answer)


@asynccontextmanager
async def site(host: str = "127.0.0.1") -> AsyncIterator[Site]:
    """Yield a running site."""
    made = Site()
    await made.start(host)
    try:
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    """Yield a headless Chromium of the system."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            await browser.close()


async def page_of(browser: Browser, origin: str) -> Page:
    """Open the page with the microphone allowed."""
    context = await browser.new_context(permissions=["microphone"])
    page = await context.new_page()
    await page.goto(origin + "/")
    return page


def voice(path: Path, seconds: float = 2.0, seed: int = 7) -> np.ndarray:
    """Write a wav a browser plays as microphone (48 kHz) and return its 8 kHz samples: noise of 300 to 3000 Hz."""
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal(int(48000 * seconds))
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / 48000)
    spectrum[(hz < 300) | (hz > 3000)] = 0
    clean = np.fft.irfft(spectrum)
    # Syllables of 200 ms make the correlation peak sharp even after a codec.
    clean *= 0.5 + 0.5 * np.sin(2 * np.pi * 5 * np.arange(len(clean)) / 48000)
    clean *= 0.3 / np.abs(clean).max()
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(48000)
        out.writeframes((clean * 32767).astype("<i2").tobytes())
    return np.asarray(clean[::6])


def match(heard: np.ndarray, pattern: np.ndarray) -> float:
    """Return the largest normalised correlation of `pattern` within `heard`, 0..1."""
    size = 1 << (len(heard) + len(pattern)).bit_length()
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(pattern, size))
    correlation = np.fft.irfft(product, size)[: max(1, len(heard) - len(pattern))]
    energy = np.concatenate([[0.0], np.cumsum(heard**2)])
    windows = energy[len(pattern) :][: len(correlation)] - energy[: len(correlation)]
    return float(np.max(np.abs(correlation) / np.sqrt(np.maximum(windows, 1e-9) * (pattern**2).sum())))
