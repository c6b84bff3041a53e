"""SIPp's own caller and callee through the signalling-only proxy: no call fails, with and without packet loss."""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE

import pytest

CALLS = 60


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def started(*command: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=PIPE, stdin=DEVNULL)


async def answered(port: int) -> None:
    """Wait until the proxy answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.setblocking(False)
        peer.bind(("127.0.0.1", 0))
        data = (
            f"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{peer.getsockname()[1]};branch=z9hG4bK1\r\n"
            "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        for _ in range(50):
            peer.sendto(data, ("127.0.0.1", port))
            try:
                async with asyncio.timeout(0.2):
                    await asyncio.get_running_loop().sock_recv(peer, 65536)
                return
            except TimeoutError:
                continue
    raise AssertionError("the proxy does not answer")


@pytest.mark.slow
@pytest.mark.interop
@pytest.mark.needs("sipp")
@pytest.mark.parametrize("loss", [0, 5])
async def test_no_call_fails(loss: int) -> None:
    bridge, callee = free_port(), free_port()
    proxy = await started(
        sys.executable, "-m", "sip_bridge.endpoint", "--listen", f"127.0.0.1:{bridge}", "--route", f"127.0.0.1:{callee}"
    )
    lossy = ["-lost", str(loss)] if loss else []
    await answered(bridge)
    uas = await started("sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", str(callee), "-nd", "-nostdin", *lossy)
    uac = await started(
        "sipp", "-sn", "uac", f"127.0.0.1:{bridge}", "-i", "127.0.0.1", "-p", str(free_port()), "-nd", "-nostdin",
        "-r", "20", "-m", str(CALLS), "-d", "200", *lossy,
    )  # fmt: skip
    try:
        async with asyncio.timeout(90):
            _, errors = await uac.communicate()
        # SIPp ends with 0 only when every call succeeded.
        assert uac.returncode == 0, errors
    finally:
        for process in (proxy, uas):
            process.terminate()
            await process.communicate()
