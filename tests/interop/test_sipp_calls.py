"""SIPp through the bridge at 50 calls a second, and calls with sound whose every payload is compared."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bridge_process import BridgeProcess
from tests.softphone import Softphone

pytestmark = [pytest.mark.slow, pytest.mark.interop]

SIP, METRICS, UAC, UAS = 23501, 23502, 23510, 23520
needs_sipp = pytest.mark.needs("sipp")


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[BridgeProcess]:
    arguments = [
        "--listen", f"udp:127.0.0.1:{SIP}", "--listen", f"tcp:127.0.0.1:{SIP}", "--route", f"127.0.0.1:{UAS}",
        "--phones-side", "route", "--no-tap", "--rtp-ports", "23600-23999", "--rtp-host", "127.0.0.1",
    ]  # fmt: skip
    async with BridgeProcess(arguments, METRICS, tmp_path / "bridge.log") as running:
        yield running


def sipp(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["sipp", "-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


async def calls(rate: int, count: int, *more: str) -> tuple[int, int]:
    """Run SIPp's own caller and callee; return how many calls succeeded and failed."""
    uas = sipp("-sn", "uas", "-p", str(UAS), *more)
    try:
        await asyncio.sleep(0.5)
        uac = sipp(
            "-sn", "uac", f"127.0.0.1:{SIP}", "-p", str(UAC), "-m", str(count), "-r", str(rate), "-d", "1000",
            "-nd", "-timeout", "30", *more,
        )  # fmt: skip
        out, _ = await asyncio.to_thread(uac.communicate)
    finally:
        uas.kill()
        await asyncio.to_thread(uas.communicate)
    text = out.decode("utf-8", "replace")
    found = [re.findall(rf"{kind} call\s*\|\s*\d+\s*\|\s*(\d+)", text)[-1] for kind in ("Successful", "Failed")]
    return int(found[0]), int(found[1])


@needs_sipp
async def test_fifty_calls_a_second(bridge: BridgeProcess) -> None:
    assert await calls(50, 200) == (200, 0)
    await bridge.until("livemon_bridge_calls_active", 0)
    figures = await bridge.figures()
    assert figures['livemon_bridge_events_total{kind="CallAnswered"}'] == 200
    assert 'livemon_bridge_not_anchored_total{kind="no_ports"}' not in figures


@needs_sipp
async def test_tcp_in_udp_out(bridge: BridgeProcess) -> None:
    uas = sipp("-sn", "uas", "-p", str(UAS))
    try:
        await asyncio.sleep(0.5)
        caller = ["-sn", "uac", f"127.0.0.1:{SIP}", "-t", "t1", "-p", str(UAC)]
        uac = sipp(*caller, "-m", "20", "-r", "20", "-timeout", "20")
        await asyncio.to_thread(uac.communicate)
    finally:
        uas.kill()
        await asyncio.to_thread(uas.communicate)
    assert uac.returncode == 0


async def test_ten_calls_with_sound_arrive_bit_for_bit(bridge: BridgeProcess) -> None:
    """Ten phones each way speak one second at once; what is heard is what was said."""
    server = ("127.0.0.1", SIP)
    async with Softphone("127.0.0.1", UAS, UAS + 2, server, "agents") as agents:
        customers = [Softphone("127.0.0.1", 23530 + 4 * at, 23532 + 4 * at, server, f"c{at}") for at in range(10)]
        try:
            for customer in customers:
                await customer.__aenter__()
            ours = [await customer.call(f"sip:agent@127.0.0.1:{SIP}") for customer in customers]
            theirs = list(agents.calls.values())
            said = []
            for at in range(50):
                for index, (customer, call) in enumerate(zip(customers, ours, strict=True)):
                    payload = b"up%02d%04d" % (index, at) + bytes(152)
                    said.append(payload)
                    customer.speak(call, payload, 160 * at)
                for index, call in enumerate(theirs):
                    agents.speak(call, b"dn%02d%04d" % (index, at) + bytes(152), 160 * at)
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.2)
            assert sorted(one.payload for one in agents.heard) == sorted(said)
            for index, customer in enumerate(customers):
                assert [one.payload[:8] for one in customer.heard] == [b"dn%02d%04d" % (index, at) for at in range(50)]
            for call in ours:
                assert await call.bye() == "SIP/2.0 200 OK"
        finally:
            for customer in customers:
                await customer.__aexit__()
