from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from livemon.api import server
from livemon.api.server import Doors, configure
from livemon.api.settings import WebSettings
from tests.web_site import Site, served, until

CLOSED = b""


async def connection(live: Site) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", live.port)


async def trickle(writer: asyncio.StreamWriter, data: bytes) -> None:
    while True:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0.02)


async def ended(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(5):
        try:
            return await reader.read()
        except ConnectionError:
            return CLOSED


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_WITHIN", "BODY_WITHIN", "READ_WITHIN"):
        monkeypatch.setattr(server, name, 0.3)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\n", b"X-A: b\r\n"),
        (b"GET", b""),
        (b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n", b"a"),
        (
            b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
            b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1\r\na\r\n",
        ),
    ],
    ids=["silent", "slow headers", "half a line", "slow body", "slow chunks"],
)
async def test_whoever_does_not_finish_a_request_is_cut_whatever_trickles(
    live: Site, start: bytes, more: bytes
) -> None:
    reader, writer = await connection(live)
    writer.write(start)
    loop = asyncio.get_running_loop()
    before = loop.time()
    sending = loop.create_task(trickle(writer, more)) if more else None
    await ended(reader)
    assert loop.time() - before < 2
    if sending is not None:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    writer.transport.abort()


@pytest.mark.usefixtures("hurry")
async def test_good_requests_are_answered_meanwhile_and_a_kept_connection_has_its_own_clock(live: Site) -> None:
    reader, writer = await connection(live)
    for _ in range(3):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        await reader.readuntil(b"}}")
        await asyncio.sleep(0.2)
    writer.write(b"GET /healthz HTTP/1.1\r\n")
    assert await ended(reader) == CLOSED
    writer.transport.abort()


@pytest.mark.usefixtures("hurry")
async def test_an_answer_that_nobody_reads_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "pages" / "assets").mkdir(parents=True)
    (tmp_path / "pages" / "assets" / "big-1.js").write_bytes(b"x" * 30_000_000)
    async with served(tmp_path) as live:
        _, writer = await connection(live)
        writer.write(b"GET /assets/big-1.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.sleep(0.1)
        doors = live.doors
        assert doors.held("127.0.0.1") == 1
        await until(lambda: doors.held("127.0.0.1") == 0)
        writer.transport.abort()


async def test_a_head_that_never_ends_is_refused(live: Site) -> None:
    reader, writer = await connection(live)
    writer.write(b"GET / HTTP/1.1\r\n" + b"X-A: " + b"b" * 40_000)
    answer = await ended(reader)
    assert answer.startswith(b"HTTP/1.1 400") or answer == CLOSED
    writer.transport.abort()


async def test_one_address_holds_so_many_connections_and_no_more(tmp_path: Path) -> None:
    async with served(tmp_path, connections_per_address=3) as live:
        held = [await connection(live) for _ in range(3)]
        await until(lambda: live.doors.held("127.0.0.1") == 3)
        reader, writer = await connection(live)
        assert await ended(reader) == CLOSED
        writer.transport.abort()
        held[0][1].transport.abort()
        await until(lambda: live.doors.held("127.0.0.1") == 2)
        for _, one in held:
            one.transport.abort()


async def test_a_websocket_keeps_its_place_and_gives_it_back(live: Site) -> None:
    from websockets.asyncio.client import connect
    from websockets.typing import Subprotocol

    async with connect(f"ws://127.0.0.1:{live.port}/api/feed", subprotocols=[Subprotocol("livemon-feed.1")]):
        assert live.doors.held("127.0.0.1") == 1
    await until(lambda: live.doors.held("127.0.0.1") == 0)


async def test_a_bad_handshake_gives_its_place_back(live: Site) -> None:
    reader, writer = await connection(live)
    writer.write(b"GET /api/feed HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert b" 4" in (await ended(reader))[:16]
    writer.transport.abort()
    await until(lambda: live.doors.held("127.0.0.1") == 0)


def test_doors_count_addresses_apart() -> None:
    doors = Doors(1)
    assert doors.enter("a") and doors.enter("b") and not doors.enter("a")
    doors.leave("a")
    assert doors.enter("a") and doors.held("c") == 0


def test_no_limit_is_left_to_a_default(tmp_path: Path) -> None:
    config = configure(None, WebSettings(tmp_path, trusted_proxies=("10.0.0.1",)))
    assert config.ws_max_size == 65_536 and config.ws_per_message_deflate is False
    assert config.proxy_headers and config.forwarded_allow_ips == ["10.0.0.1"]
    assert not configure(None, WebSettings(tmp_path)).proxy_headers
