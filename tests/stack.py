"""A whole livemon for tests: bridge, node, web, and phones whose sound the test chooses and hears."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
import psutil
from scipy import signal

from livemon import config as configuration
from livemon.bus.hub import Hub
from livemon.bus.local import LocalBus
from livemon.demo.centre import Centre
from livemon.demo.handset import Ear
from livemon.demo.run import DemoOptions, demo_children
from livemon.demo.schedule import NextCall, Schedule
from livemon.demo.script import Script, Silence
from livemon.demo.stage import Stage, free_ports
from livemon.demo.talk import LiveCall
from livemon.demo.track import RATE, Conversation, Samples
from livemon.demo.web import LINKS
from livemon.serve import Supervisor
from sip_bridge.hooks import Hop
from sip_bridge.media.g711 import Law, decode
from sip_bridge.tasks import Tasks

HOST = "127.0.0.1"
AGENT_HZ = 440.0
CUSTOMER_HZ = 1000.0
SPARE_LINKS = tuple(f"supervisor {n}" for n in range(1, 9))
"""More links that sign in as the supervisor, for more browsers."""


class Sequences:
    """The sequence numbers of received packets; what is missing between the first and the last was lost on the way."""

    def __init__(self) -> None:
        self._seen: dict[bytes, set[int]] = {}
        self._last: dict[bytes, int] = {}
        self.received = 0

    def take(self, datagram: bytes) -> None:
        """Take note of one RTP packet."""
        source, number = datagram[8:12], int.from_bytes(datagram[2:4], "big")
        last = self._last.get(source, number)
        # RFC 3550, A.1: 16 bits wrap; the nearest number to the last one is meant.
        extended = last + (number - last + 0x8000) % 0x10000 - 0x8000
        self._last[source] = max(last, extended)
        self._seen.setdefault(source, set()).add(extended)
        self.received += 1

    @property
    def missing(self) -> int:
        """Packets that were never received."""
        return sum(max(seen) - min(seen) + 1 - len(seen) for seen in self._seen.values())


class Recorder(Ear):
    """An ear that also keeps everything it heard, linear, in the order of arrival."""

    def __init__(self, ear: Ear) -> None:
        super().__init__(ear._decode, ear._other)
        self.heard = bytearray()
        self.sequences = Sequences()
        self.longest_gap = 0.0
        """Longest time between two packets, in s."""
        self.first_foreign: float | None = None
        """When the first packet came that the other phone had not said (monotonic, s)."""
        self._last: float | None = None

    def hear(self, datagram: bytes) -> None:
        """Keep the sound of one packet."""
        foreign = self.foreign
        super().hear(datagram)
        now = time.monotonic()
        if self._last is not None:
            self.longest_gap = max(self.longest_gap, now - self._last)
        self._last = now
        if self.first_foreign is None and self.foreign > foreign:
            self.first_foreign = now
        if len(datagram) > 12 and datagram[1] & 0x7F == 0:
            self.sequences.take(datagram)
            self.heard += decode(datagram[12:], Law.PCMU)

    @property
    def samples(self) -> Samples:
        """Everything heard so far, int16 at 8000 Hz."""
        return np.frombuffer(bytes(self.heard), dtype=np.int16)


def tone(hz: float, seconds: float, dbfs: float = -20.0) -> Samples:
    """A steady tone."""
    at = np.arange(round(seconds * RATE)) / RATE
    return np.round(32768 * 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * at)).astype(np.int16)


def tones(plan: NextCall, seconds: float = 600.0) -> Conversation:
    """Both parties hum without a pause: the agent at 440 Hz, the customer at 1000 Hz."""
    script = Script("tones", "tones", "inbound", "orders", 1, (Silence(1.0),))
    return Conversation(script, tone(AGENT_HZ, seconds), tone(CUSTOMER_HZ, seconds))


def own_hz(extension: str) -> tuple[float, float]:
    """Return the tones of one agent's calls: the agent's and the customer's; no two agents of ten share one."""
    slot = int(extension) - 201
    return AGENT_HZ + 50 * slot, CUSTOMER_HZ + 90 * slot


def own_tones(plan: NextCall, seconds: float = 600.0) -> Conversation:
    """Like `tones`, but every agent and every customer hums a tone of their own."""
    script = Script("tones", "tones", "inbound", "orders", 1, (Silence(1.0),))
    agent, customer = own_hz(plan.agent.extension)
    return Conversation(script, tone(agent, seconds), tone(customer, seconds))


def dominant_hz(samples: npt.NDArray[np.generic], rate: int = RATE) -> float:
    """The strongest frequency."""
    spectrum = np.abs(np.fft.rfft(samples.astype(np.float64) * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def matched(heard: Samples, wanted: Samples) -> tuple[float, int]:
    """Where `wanted` is found best: (normalised correlation 0..1, sample offset)."""
    if len(heard) < len(wanted):
        return 0.0, 0
    long, short = heard.astype(np.float64), wanted.astype(np.float64)
    found = np.abs(signal.correlate(long, short, mode="valid", method="fft"))
    energy = np.sqrt(np.maximum(signal.convolve(long**2, np.ones(len(short)), mode="valid", method="fft"), 1.0))
    score = found / (energy * np.linalg.norm(short))
    best = int(np.argmax(score))
    return float(score[best]), best


def victim(running: Running, name: str) -> int:
    """Return the process id of a part: node, web, control or media."""
    direct = {"node": "node-0", "web": "web"}.get(name)
    if direct is not None:
        pid = running.supervisor.pid(direct)
        assert pid is not None, f"{name} does not run"
        return pid
    bridge = running.supervisor.pid("bridge")
    assert bridge is not None, "the bridge does not run"
    words = {"control": "sip_bridge.control", "media": "sip_bridge.media.host"}[name]
    return next(child.pid for child in psutil.Process(bridge).children() if words in child.cmdline())


def share_found(heard: Samples, wanted: Samples, at_least: float = 0.8) -> float:
    """Return the share of the 100 ms pieces of `wanted` found so well: one slip does not hide the rest."""
    size = RATE // 10
    pieces = [wanted[at : at + size] for at in range(0, len(wanted) - size + 1, size)]
    return sum(matched(heard, piece)[0] >= at_least for piece in pieces) / len(pieces)


@dataclass
class Running:
    """A livemon that runs."""

    stage: Stage
    supervisor: Supervisor
    centre: Centre
    links: dict[str, str]
    recorders: dict[int, tuple[Recorder, Recorder]] = field(default_factory=dict)

    def record(self, live: LiveCall) -> tuple[Recorder, Recorder]:
        """Record what the agent's and the customer's phone hear from here on."""
        pair = Recorder(live.agent.ear), Recorder(live.customer.ear)
        for party, recorder in zip((live.agent, live.customer), pair, strict=True):
            party.ear = party.rtp.ear = recorder
        return pair

    async def calls_up(self, number: int, seconds: float = 40.0) -> list[LiveCall]:
        """Wait until so many calls carry sound both ways."""
        async with asyncio.timeout(seconds):
            while True:
                live = [
                    one for one in self.centre.live if one.up and min(one.agent.ear.packets, one.customer.ear.packets)
                ]
                if len(live) >= number:
                    return live
                await asyncio.sleep(0.05)

    async def signed_in(self) -> httpx.AsyncClient:
        """Return a client with a session of the supervisor."""
        client = httpx.AsyncClient(base_url=self.stage.url, headers={"origin": self.stage.url})
        answer = await client.get(self.links["api"])
        assert answer.status_code == 303
        return client


@asynccontextmanager
async def stack(
    folder: Path,
    agents: int = 1,
    prepare: Callable[[NextCall], Conversation] = tones,
    ready_within: float = 60.0,
) -> AsyncIterator[Running]:
    """Start everything but the browser; `folder` must be short, Unix sockets live in it."""
    schedule = Schedule(agents, 1)
    stage = Stage(folder, HOST, free_ports(HOST, 0, agents), schedule.agents, tls=False)
    stage.write()
    # A link signs in once: one for each browser, and one for requests of the test itself.
    tokens = {use: secrets.token_urlsafe(16) for use in ("/", "/wallboard", "api", *SPARE_LINKS)}
    wanted = [
        [token, "wallboard" if use == "/wallboard" else "supervisor", "/wallboard" if use == "/wallboard" else "/"]
        for use, token in tokens.items()
    ]
    os.environ[LINKS] = json.dumps(wanted)
    path = configuration.load(stage.config).bus_path
    children = tuple(child for child in demo_children(stage, DemoOptions(agents)) if child.name != "centre")
    supervisor = Supervisor(children, Hub(path), LocalBus(path, "stack"))
    centre = Centre(HOST, Hop("udp", HOST, stage.ports.sip), stage.ports.pbx, schedule, prepare)
    tasks = Tasks("stack")
    supervising = tasks.start(supervisor.run(), "supervisor")
    try:
        links = {path: f"{stage.url}/enter/{token}" for path, token in tokens.items()}
        running = Running(stage, supervisor, centre, links)
        await _ready(stage, ready_within)
        tasks.start(centre.run(None), "centre")
        yield running
    finally:
        await centre.close()
        supervisor.stop.set()
        await asyncio.wait([supervising], timeout=30)
        await tasks.close()


async def _ready(stage: Stage, within: float) -> None:
    """Wait until the pages answer and a bridge is attached to the node."""
    async with asyncio.timeout(within), httpx.AsyncClient(base_url=stage.url) as client:
        while True:
            try:
                text = (await client.get("/metrics")).text
                bridge = await client.get(f"http://{stage.host}:{stage.ports.metrics}/metrics")
                if 'node="' in text and "link_up 1" in bridge.text:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)


def immediately(plan: NextCall) -> NextCall:
    """The same call, without the pauses that make a demo lifelike."""
    return replace(plan, pause=0.0, ring=0.1)
