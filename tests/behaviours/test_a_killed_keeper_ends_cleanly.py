"""The call is sacred even without its keeper: a running call goes on and can be hung up, then the ports are free.

The keeper is the parent that owns the sockets. Killed with SIGKILL it takes nothing with it: media relays on and
control answers. Once no call needs them any more both end, so that a new bridge finds its ports free.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.bridge_process import BridgeProcess
from tests.softphone import Softphone

pytestmark = pytest.mark.slow

SIP, METRICS, CALLER, CALLEE = 23341, 23342, 23344, 23350
# Without a keeper, media waits 10 s for a sign of life of a call.
ENDS_WITHIN = 30.0


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


async def test_kill_9_of_the_keeper(tmp_path: Path) -> None:
    arguments = [
        "--listen", f"udp:127.0.0.1:{SIP}", "--route", f"127.0.0.1:{CALLEE}", "--phones-side", "route", "--no-tap",
        "--rtp-ports", "23358-23369", "--rtp-host", "127.0.0.1",
    ]  # fmt: skip
    server = ("127.0.0.1", SIP)
    async with (
        Softphone("127.0.0.1", CALLER, CALLER + 2, server, "customer") as customer,
        Softphone("127.0.0.1", CALLEE, CALLEE + 2, server, "agent") as agent,
    ):
        async with BridgeProcess(arguments, METRICS, tmp_path / "bridge.log") as bridge:
            call = await customer.call(f"sip:agent@127.0.0.1:{SIP}")
            children = [bridge.pid("sip_bridge.control"), bridge.pid("sip_bridge.media.host")]
            assert bridge.process is not None
            os.kill(bridge.process.pid, signal.SIGKILL)
            bridge.process.wait()
            try:
                for at in range(50):
                    customer.speak(call, b"%04d" % at + bytes(156), 160 * at)
                    await asyncio.sleep(0.02)
                await asyncio.sleep(0.2)
                assert [one.payload[:4] for one in agent.heard] == [b"%04d" % at for at in range(50)]
                assert await call.bye() == "SIP/2.0 200 OK"
                async with asyncio.timeout(ENDS_WITHIN):
                    while any(map(alive, children)):
                        await asyncio.sleep(0.1)
            finally:
                for pid in filter(alive, children):
                    os.kill(pid, signal.SIGKILL)
        # A new bridge finds every port free.
        async with BridgeProcess(arguments, METRICS, tmp_path / "second.log"):
            assert await (await customer.call(f"sip:agent@127.0.0.1:{SIP}")).bye() == "SIP/2.0 200 OK"
