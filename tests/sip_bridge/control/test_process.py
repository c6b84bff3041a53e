import asyncio
import json
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sip_bridge.config import from_mapping
from sip_bridge.control import process as process_module
from sip_bridge.control.process import ControlProcess, Descriptors, link_address, main
from sip_bridge.descriptors import channel_pair, memory_file, open_udp
from sip_bridge.errors import ConfigError
from sip_bridge.journal import DescriptorStore, Journal
from sip_bridge.link.client import LinkAddress

TRUNKS = [{"name": "pbx", "side": "pbx"}, {"name": "phones", "side": "phones", "route": "127.0.0.1:23001"}]


class Life:
    """The descriptors of one control process, and the far end of its channel."""

    def __init__(self, **link: str) -> None:
        self.sip = open_udp("127.0.0.1", 0)
        self.port: int = self.sip.getsockname()[1]
        self.ours, self.media = channel_pair()
        self.journal = memory_file("test-journal")
        settings: dict[str, Any] = {"bridge": {"listen": f"127.0.0.1:{self.port}"}, "trunk": TRUNKS, "link": link}
        settings["bridge"]["metrics"] = f"127.0.0.1:{self.port}"  # the same number, over TCP
        self.config = from_mapping(settings)

    def process(self, node: LinkAddress | None = None) -> ControlProcess:
        numbers = [os.dup(self.sip.fileno()), os.dup(self.ours.fileno())]
        return ControlProcess(self.config, Descriptors([numbers[0]], [], numbers[1], self.journal), node)

    def close(self) -> None:
        for sock in (self.sip, self.ours, self.media):
            sock.close()
        os.close(self.journal)

    def commands(self) -> list[str]:
        found = []
        while True:
            try:
                data = self.media.recv(100_000)
                found.append(json.loads(data)["cmd"] if data.startswith(b"{") else "frame")
            except BlockingIOError:
                return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "FAREWELL", 0.01)


@pytest.fixture
async def life() -> AsyncIterator[Life]:
    life = Life()
    yield life
    life.close()


async def ping(port: int) -> str:
    """Send an OPTIONS and return the answer's first line."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(("127.0.0.1", port))
        sock.send(
            b"OPTIONS sip:ping@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKp\r\n"
            b"From: <sip:a@b>;tag=1\r\n"
            b"To: <sip:b@b>\r\nCall-ID: ping\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            % sock.getsockname()[1]
        )
        return (await asyncio.wait_for(loop.sock_recv(sock, 4096), 3)).decode().partition("\r\n")[0]


async def scrape(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    return text


async def test_it_serves_until_it_is_drained(life: Life) -> None:
    process = life.process()
    run = asyncio.ensure_future(process.run())  # noqa: TID251 - ends within the test
    assert await ping(life.port) == "SIP/2.0 200 OK"
    text = await scrape(life.port)
    assert "livemon_bridge_calls_active 0" in text
    assert "livemon_bridge_link_up 0" in text
    process.hang_up("nobody", "no such call")
    process.tell({"t": "nobody hears"})
    process.tap(b"nobody hears")
    process.frame(b"\x03")
    assert life.commands()[0] == "hello"
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(run, 5)


async def test_the_second_sigterm_and_sigint_end_it_at_once(life: Life) -> None:
    for numbers in ([signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]):
        run = asyncio.ensure_future(life.process().run())  # noqa: TID251 - ends within the test
        assert await ping(life.port) == "SIP/2.0 200 OK"
        for number in numbers:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.wait_for(run, 5)


async def test_a_damaged_journal_stops_nobody(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    Journal(DescriptorStore(life.journal)).put("call:x", {"sip": {"version": 99}})
    Journal(DescriptorStore(life.journal)).put("binding:y", {"odd": 1})
    with caplog.at_level(logging.ERROR):
        run = asyncio.ensure_future(life.process().run())  # noqa: TID251 - ends within the test
        assert await ping(life.port) == "SIP/2.0 200 OK"
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(run, 5)
    assert "could not be taken up" in caplog.text


async def test_it_dials_the_node(tmp_path: Path) -> None:
    life = Life(server=f"unix://{tmp_path}/node.sock", key_file=str(tmp_path / "key"))
    (tmp_path / "key").write_text("secret\n")
    address = link_address(life.config)
    assert address == LinkAddress(f"unix://{tmp_path}/node.sock", "secret")
    process = life.process(address)
    process.tell({"t": "not connected"})
    process.tap(b"not connected")
    run = asyncio.ensure_future(process.run())  # noqa: TID251 - ends within the test
    assert await ping(life.port) == "SIP/2.0 200 OK"
    assert "livemon_bridge_link_attempts_total 1" in await scrape(life.port)
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(run, 5)
    life.close()


def test_the_key_of_the_link_must_be_readable(tmp_path: Path) -> None:
    settings = {"bridge": {"listen": "127.0.0.1:5060"}, "trunk": TRUNKS}
    assert link_address(from_mapping(settings)) is None
    link = {"server": f"unix://{tmp_path}/node.sock", "key_file": str(tmp_path / "missing")}
    with pytest.raises(ConfigError, match="key_file"):
        link_address(from_mapping({**settings, "link": link}))


def test_wrong_settings_end_with_code_2(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sip_bridge.log.configure", lambda *_: None)
    arguments = ["--media-fd", "0", "--journal-fd", "0", "--rtp-ports", "20000-20999", "--settings", '{"bridge": 1}']
    assert main([*arguments, "--sip-udp-fds", "", "--sip-tcp-fds", ""]) == 2
