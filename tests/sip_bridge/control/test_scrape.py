import asyncio

from sip_bridge.control import scrape
from sip_bridge.control.scrape import ScrapeServer


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_scrape_is_answered_and_nonsense_is_closed() -> None:
    server = ScrapeServer(lambda: "calls 3\n", lambda: True)
    port = await server.start("127.0.0.1", 0)
    assert (await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")).endswith(b"\r\n\r\ncalls 3\n")
    assert await ask(port, b"x" * 20_000) == b""
    await server.close()


async def test_a_slow_client_is_cut(monkeypatch: object) -> None:
    before = scrape.DEADLINE
    scrape.DEADLINE = 0.05  # type: ignore[misc]
    try:
        server = ScrapeServer(str, lambda: True)
        port = await server.start("127.0.0.1", 0)
        assert await ask(port, b"GET /metr") == b""
        await server.close()
    finally:
        scrape.DEADLINE = before  # type: ignore[misc]


async def test_connections_are_bounded() -> None:
    server = ScrapeServer(lambda: "", lambda: True)
    port = await server.start("127.0.0.1", 0)
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(scrape.MAX_CLIENTS)]
    await asyncio.sleep(0.05)
    assert await ask(port, b"GET /healthz HTTP/1.1\r\n\r\n") == b""
    for _, writer in idle:
        writer.close()
    await server.close()


async def test_a_server_that_never_started_closes() -> None:
    await ScrapeServer(str, lambda: True).close()
