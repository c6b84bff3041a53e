"""A log file is read by people who may not know who called whom: no telephone number and no peer address is in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bridge_process import BridgeProcess
from tests.softphone import Softphone

pytestmark = pytest.mark.slow

SIP, METRICS, CALLER, CALLEE = 23030, 23031, 23034, 23038


async def test_a_call_leaves_no_trace_of_the_people(tmp_path: Path) -> None:
    arguments = [
        "--listen", f"udp:127.0.0.1:{SIP}", "--route", f"127.0.0.1:{CALLEE}", "--phones-side", "route", "--no-tap",
        "--rtp-ports", "23044-23051", "--rtp-host", "127.0.0.1",
    ]  # fmt: skip
    server = ("127.0.0.1", SIP)
    async with (
        BridgeProcess(arguments, METRICS, tmp_path / "bridge.log") as bridge,
        Softphone("127.0.0.1", CALLER, CALLER + 2, server, "+4930123456789") as customer,
        Softphone("127.0.0.1", CALLEE, CALLEE + 2, server, "201") as agent,
    ):
        call = await customer.call(
            f"sip:agent.smith@127.0.0.1:{SIP}", extra="P-Asserted-Identity: <tel:+4930987654321>"
        )
        await bridge.kill("sip_bridge.control")
        assert await call.bye() == "SIP/2.0 200 OK"
        assert agent.requests
        await bridge.until("livemon_bridge_calls_active", 0)
    text = bridge.log()
    assert "call started" in text
    assert "call ended" in text
    assert all(isinstance(json.loads(line), dict) for line in text.splitlines())
    for word in ("4930123456789", "4930987654321", "agent.smith", "127.0.0.1"):
        assert word not in text
