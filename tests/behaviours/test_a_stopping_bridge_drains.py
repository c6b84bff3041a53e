"""The call is sacred: SIGTERM refuses new calls, lets the running ones end by themselves, and only then stops."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.bridge_process import BridgeProcess
from tests.softphone import Softphone

pytestmark = pytest.mark.slow

SIP, METRICS, CALLER, CALLEE, LATE = 23371, 23372, 23374, 23380, 23384


async def test_running_calls_end_by_themselves(tmp_path: Path) -> None:
    arguments = [
        "--listen", f"udp:127.0.0.1:{SIP}", "--route", f"127.0.0.1:{CALLEE}", "--phones-side", "route", "--no-tap",
        "--rtp-ports", "23388-23399", "--rtp-host", "127.0.0.1",
    ]  # fmt: skip
    server = ("127.0.0.1", SIP)
    async with (
        BridgeProcess(arguments, METRICS, tmp_path / "bridge.log") as bridge,
        Softphone("127.0.0.1", CALLER, CALLER + 2, server, "customer") as customer,
        Softphone("127.0.0.1", CALLEE, CALLEE + 2, server, "agent") as agent,
        Softphone("127.0.0.1", LATE, LATE + 2, server, "late") as late,
    ):
        call = await customer.call(f"sip:agent@127.0.0.1:{SIP}")
        assert bridge.process is not None
        bridge.process.send_signal(signal.SIGTERM)
        await bridge.until("livemon_bridge_draining", 1)
        assert not await bridge.ready()
        with pytest.raises(AssertionError, match=r"(?s)SIP/2\.0 503.*[Rr]etry-[Aa]fter: *[0-9]+"):
            await late.call(f"sip:agent@127.0.0.1:{SIP}")
        customer.speak(call, b"still here" + bytes(150), 0)
        await asyncio.sleep(0.3)
        assert [one.payload[:10] for one in agent.heard] == [b"still here"]
        assert bridge.process.poll() is None
        assert await call.bye() == "SIP/2.0 200 OK"
        assert await asyncio.to_thread(bridge.process.wait, 10) == 0
