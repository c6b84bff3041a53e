"""CPU of the whole bridge and node per monitored call-second, the delay a call suffers, and calls without loss.

Calls are set up by light SIP phones; their RTP comes from a C generator of its own (needs `cc`), so that what is
measured is the product. Bridge on core 1, everything else on core 0. `python -m bench.calls [CALLS ...]` measures other
numbers of calls; add `--seconds N`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench._callers import Callers
from bench._cpu import bridge_parts, come_first, cpu_ms, pin, scheduling
from bench.figure import Figure
from livemon import config as configuration
from livemon.bus.hub import Hub
from livemon.bus.local import LocalBus
from livemon.demo.run import DemoOptions, demo_children
from livemon.demo.schedule import Schedule
from livemon.demo.stage import Ports, Stage, free_ports
from livemon.demo.web import LINKS
from livemon.serve import Supervisor
from sip_bridge.tasks import Tasks
from tests.speechlike import talk
from tests.stack import HOST, _ready

CALLS = 100
STEPS = (200, 400, 500, 600, 700)
SECONDS = 8.0
STEP_SECONDS = 4.0
WARM_S = 2.0
# Below the ports that systems give out by themselves (from 32768 on), or another program may sit on one.
RTP = (10000, 13199)
PHONES = 13200
SOCKETS = 16
SIP = (13300, 13301, 13302)
PARTS = ("media", "control", "keeper", "node", "web")
MEDIA_CORE, OTHER_CORE = 1, 0


@dataclass
class Site:
    """A running livemon, and who calls through it."""

    supervisor: Supervisor
    callers: Callers
    generator: Path
    speech: Path
    pids: dict[str, int] = field(default_factory=dict)

    def measure(self, calls: int, seconds: float) -> dict[str, Any]:
        """Let `calls` calls talk for so long; return what the generator saw, and CPU ms a call-second by part."""
        legs = []
        for call in self.callers.calls[:calls]:
            legs += [f"{call.caller_port} {2 * call.number + 1}", f"{call.callee_port} {2 * call.number}"]
        with subprocess.Popen(
            [self.generator, str(PHONES), self.speech, str(WARM_S), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            pin(process.pid, OTHER_CORE)
            come_first(process.pid)
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write("\n".join(legs))
            process.stdin.close()
            _expect(process.stdout.readline(), "begin")
            before = {name: cpu_ms(pid) for name, pid in self.pids.items()}
            _expect(process.stdout.readline(), "end")
            used = {name: cpu_ms(pid) - before[name] for name, pid in self.pids.items()}
            got: dict[str, Any] = json.loads(process.stdout.readline())
        got["cpu"] = {name: value / seconds / calls for name, value in used.items()}
        got["class"] = scheduling(self.pids["media"])
        got["core"] = sum(used[name] for name in ("media", "control", "keeper")) / seconds / 1000
        return got


def run() -> Iterator[Figure]:
    """Measure 100 calls, then look for the largest number without loss."""
    yield from asyncio.run(_measure((CALLS,), STEPS, SECONDS))


async def _measure(levels: Sequence[int], steps: Sequence[int], seconds: float) -> list[Figure]:
    figures: list[Figure] = []
    async with _site() as site:
        for calls in levels:
            await asyncio.to_thread(site.callers.up_to, calls)
            figures += _figures(calls, await asyncio.to_thread(site.measure, calls, seconds))
        if steps:
            figures += await _largest(site, steps)
        await asyncio.to_thread(site.callers.hang_up)
    return figures


async def _largest(site: Site, steps: Sequence[int]) -> list[Figure]:
    best, told = 0, []
    for calls in steps:
        await asyncio.to_thread(site.callers.up_to, calls)
        got = await asyncio.to_thread(site.measure, calls, STEP_SECONDS)
        told.append(
            f"{calls}: lost {got['lost']} of {got['sent']}, {got['core']:.2f} cores, p50 {got['p50_ms']} "
            f"p99 {got['p99_ms']} ms, generator late {got['generator_late_ms']} ms"
        )
        if got["lost"]:
            break
        best = calls
    return [
        Figure(
            "calls_without_loss",
            best,
            "calls",
            ">= 600",
            f"bridge on one core, {STEP_SECONDS} s each; {'; '.join(told)}",
        )
    ]


def _figures(calls: int, got: dict[str, Any]) -> list[Figure]:
    cpu: dict[str, float] = got["cpu"]
    parts = ", ".join(f"{name} {value:.3f}" for name, value in cpu.items())
    where = (
        f"{calls} calls, {got['sent']} packets, PCMU 20 ms, media's class {got['class']}; ms per call-second: {parts}"
    )
    asterisk = "Asterisk 22.10 bridge + TALK_DETECT"
    return [
        Figure("cpu_per_call_second", round(sum(cpu.values()), 3), "ms", "<= 2.5", where, asterisk, "3.9-4.1 ms"),
        Figure(
            "media_cpu_per_packet", round(cpu["media"] * 10, 2), "us", "<= 9", where, "rtpengine userspace", "9.0 us"
        ),
        Figure("packets_lost", got["lost"], "packets", "0", f"{where}; out of order {got['out_of_order']}"),
        Figure("delay_p50", got["p50_ms"], "ms", "stated", where, "Asterisk", "0.05-0.11 ms"),
        Figure("delay_p99", got["p99_ms"], "ms", "<= 1.5", f"{where}; p99.9 {got['p999_ms']} ms"),
    ]


@asynccontextmanager
async def _site() -> AsyncIterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="lm"))
    try:
        generator, speech = folder / "generator", folder / "speech"
        source = Path(__file__).with_name("_generator.c")
        subprocess.run(["cc", "-O2", "-o", generator, source], check=True)
        # Half of the time somebody speaks, so that the analysis has its usual work.
        speech.write_bytes(talk(24.0, [(at, at + 2.5) for at in range(0, 24, 5)]))
        agents = Schedule(CALLS, 1).agents
        stage = Stage(folder, HOST, _ports(), agents, tls=False)
        stage.write()
        os.environ[LINKS] = "[]"
        path = configuration.load(stage.config).bus_path
        children = tuple(child for child in demo_children(stage, DemoOptions(CALLS)) if child.name != "centre")
        supervisor = Supervisor(children, Hub(path), LocalBus(path, "bench"))
        tasks = Tasks("bench")
        supervising = tasks.start(supervisor.run(), "supervisor")
        extensions = [agent.extension for agent in agents]
        callers = Callers(SIP[0], SIP[1], SIP[2], extensions, lambda leg: PHONES + 2 * (leg % SOCKETS))
        try:
            await _ready(stage, 60)
            site = Site(supervisor, callers, generator, speech)
            _place(site)
            yield site
        finally:
            callers.close()
            supervisor.stop.set()
            await asyncio.wait([supervising], timeout=30)
            await tasks.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _place(site: Site) -> None:
    """Find the processes, and give the bridge a core of its own."""
    keeper, node, web = (site.supervisor.pid(name) for name in ("bridge", "node-0", "web"))
    assert keeper is not None and node is not None and web is not None
    found = {**bridge_parts(keeper), "node": node, "web": web}
    site.pids = {name: found[name] for name in PARTS}
    pin(keeper, MEDIA_CORE)
    pin(node, OTHER_CORE)
    pin(web, OTHER_CORE)


def _ports() -> Ports:
    free = free_ports(HOST, 0, 1)
    return Ports(free.web, SIP[0], SIP[2], free.rtc, free.fallback, free.metrics, RTP)


def _expect(line: str, wanted: str) -> None:
    if line.strip() != wanted:
        raise RuntimeError(f"the generator said {line!r}, not {wanted}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calls", type=int, nargs="*", default=[CALLS])
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--steps", type=int, nargs="*", default=[])
    options = parser.parse_args()
    for figure in asyncio.run(_measure(options.calls, options.steps, options.seconds)):
        print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
