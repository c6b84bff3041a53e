"""SIPp through a real `sip-bridge`: CPU per call, failed calls, retransmissions, with and without loss.

SIPp's own caller and callee (needs `sip-tester`). `python -m bench.sip [--seconds N]`.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench._cpu import bridge_parts, cpu_ms, pin
from bench.figure import Figure
from tests.bridge_process import BridgeProcess
from tests.softphone import Softphone

HOST = "127.0.0.1"
RTP = (14000, 15999)
SIP, METRICS, UAC, UAS, PHONES = 13400, 13401, 13410, 13420, 13430
RATE, SECONDS = 50, 20.0
TALK_MS = 1000
# Non-INVITE server transactions and the ports of a call rest for 32 s (RFC 3261, timer J) before the tables are empty.
RESTED_S = 40.0
BRIDGE_CORE, SIPP_CORE = 1, 0
# Longer than timers B and H, after which a call without an answer has failed for both ends.
PATIENCE_S = 36.0
ROW = re.compile(r"(?:INVITE|ACK|BYE) -+>\s+(?:B-RTD\d\s+|E-RTD\d\s+)?\d+\s+(\d+)\s+(\d+)")


@dataclass(frozen=True)
class Outcome:
    """What SIPp says."""

    good: int
    failed: int
    repeated: int
    """Requests sent again by the caller."""


def run() -> Iterator[Figure]:
    """Load, loss, sound, and what remains in the tables."""
    yield from asyncio.run(_measure(SECONDS))


async def _measure(seconds: float) -> list[Figure]:
    figures: list[Figure] = []
    async with _bridge() as (bridge, parts):
        figures += await _load(parts, seconds)
        figures += await _lossy(seconds)
        figures += await _sound()
        figures += await _rest(bridge)
    return figures


async def _load(parts: dict[str, int], seconds: float) -> list[Figure]:
    count = round(RATE * seconds)
    await _calls(RATE, RATE)  # what is used for the first time is loaded and compiled now
    before = {name: cpu_ms(pid) for name, pid in parts.items()}
    outcome = await _calls(RATE, count)
    used = {name: (cpu_ms(pid) - before[name]) / count for name, pid in parts.items()}
    where = f"SIPp {RATE} calls/s for {seconds:.0f} s, talk {TALK_MS} ms; " + ", ".join(
        f"{name} {value:.3f} ms" for name, value in used.items()
    )
    return [
        Figure("sip_cpu_per_call", round(used["control"], 3), "ms", "<= 1.6", where, "sippy B2BUA", "5.0 ms"),
        Figure("sip_failed", outcome.failed + count - outcome.good, "calls", "0", f"{where}; {outcome}"),
        Figure("sip_repeated", outcome.repeated, "requests", "stated", where),
    ]


async def _lossy(seconds: float) -> list[Figure]:
    count = round(RATE * seconds / 4)
    outcome = await _calls(RATE // 2, count, "-lost", "5")
    where = f"SIPp {RATE // 2} calls/s, 5 % of messages lost each way at both ends; {outcome}"
    return [Figure("sip_failed_at_loss", count - outcome.good, "calls", "0", where)]


async def _sound() -> list[Figure]:
    """Place 20 calls within a second, with RTP both ways; compare every payload."""
    calls, packets = 20, 100
    wrong = 0
    server = (HOST, SIP)
    async with Softphone(HOST, UAS, UAS + 2, server, "agents") as agents:
        customers = [Softphone(HOST, PHONES + 4 * at, PHONES + 4 * at + 2, server, f"c{at}") for at in range(calls)]
        try:
            ours = []
            for customer in customers:
                await customer.__aenter__()
                ours.append(await customer.call(f"sip:agent@{HOST}:{SIP}"))
                await asyncio.sleep(0.05)
            theirs, said = list(agents.calls.values()), []
            for at in range(packets):
                for index, (customer, call) in enumerate(zip(customers, ours, strict=True)):
                    said.append(b"up%02d%04d" % (index, at) + bytes(152))
                    customer.speak(call, said[-1], 160 * at)
                for index, other in enumerate(theirs):
                    agents.speak(other, b"dn%02d%04d" % (index, at) + bytes(152), 160 * at)
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
            heard = sorted(one.payload for one in agents.heard)
            wrong += sum(a != b for a, b in zip(heard, sorted(said), strict=False)) + abs(len(heard) - len(said))
            for index, customer in enumerate(customers):
                wanted = [b"dn%02d%04d" % (index, at) for at in range(packets)]
                got = [one.payload[:8] for one in customer.heard]
                wrong += sum(a != b for a, b in zip(got, wanted, strict=False)) + abs(len(got) - len(wanted))
            for call in ours:
                await call.bye()
        finally:
            for customer in customers:
                await customer.__aexit__()
    where = f"20 calls/s, {calls} calls, {2 * calls * packets} packets"
    return [Figure("sip_payloads_wrong", wrong, "packets", "0", where)]


async def _rest(bridge: BridgeProcess) -> list[Figure]:
    await asyncio.sleep(RESTED_S)
    figures = await bridge.figures()
    held = {
        name.removeprefix("livemon_bridge_"): value
        for name, value in figures.items()
        if name.endswith(("calls_active", "legs_open", "grants")) or "segments" in name
    }
    left = sum(held.values())
    free, size = figures["livemon_bridge_rtp_ports_free"], figures["livemon_bridge_rtp_ports"]
    where = f"{RESTED_S:.0f} s after the last call: {held}, RTP ports free {free:.0f} of {size:.0f}"
    return [Figure("sip_tables_left", left + size - free, "entries", "0", where)]


@asynccontextmanager
async def _bridge() -> AsyncIterator[tuple[BridgeProcess, dict[str, int]]]:
    arguments = [
        "--listen", f"udp:{HOST}:{SIP}", "--route", f"{HOST}:{UAS}", "--phones-side", "route", "--no-tap",
        "--rtp-ports", f"{RTP[0]}-{RTP[1]}", "--rtp-host", HOST,
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        async with BridgeProcess(arguments, METRICS, Path(folder) / "log") as bridge:
            assert bridge.process is not None
            pin(bridge.process.pid, BRIDGE_CORE)
            yield bridge, bridge_parts(bridge.process.pid)


async def _calls(rate: int, count: int, *more: str) -> Outcome:
    uas = _sipp("-sn", "uas", "-p", str(UAS), *more)
    try:
        await asyncio.sleep(0.5)
        uac = _sipp(
            "-sn", "uac", f"{HOST}:{SIP}", "-p", str(UAC), "-m", str(count), "-r", str(rate), "-d", str(TALK_MS), "-nd",
            *more,
        )  # fmt: skip
        out = await asyncio.to_thread(_output, uac, count / rate + PATIENCE_S)
    finally:
        uas.kill()
        await asyncio.to_thread(uas.communicate)
    text = out.decode("utf-8", "replace")
    good, failed = (
        int(re.findall(rf"{kind} call\s*\|\s*\d+\s*\|\s*(\d+)", text)[-1]) for kind in ("Successful", "Failed")
    )
    last = text.rpartition("Scenario Screen")[2]
    return Outcome(good, failed, sum(int(row[0]) for row in ROW.findall(last)))


def _output(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Return what SIPp says at its end; a call that never ends for it is given up and counts as failed."""
    for patience in (seconds, 2.0):
        try:
            return process.communicate(timeout=patience)[0]
        except subprocess.TimeoutExpired:
            # The first asks it to end after its calls, the second at once.
            process.send_signal(signal.SIGUSR1)
    return process.communicate(timeout=10)[0]


def _sipp(*arguments: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        ["sipp", "-i", HOST, "-mi", HOST, "-nostdin", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    pin(process.pid, SIPP_CORE)
    return process


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--load-only", action="store_true")
    options = parser.parse_args(arguments)

    async def load_only() -> list[Figure]:
        async with _bridge() as (_, parts):
            return await _load(parts, options.seconds)

    for figure in asyncio.run(load_only() if options.load_only else _measure(options.seconds)):
        print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
