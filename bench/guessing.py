"""10,000 guessed tickets and cookies against the real web process, and one who is signed in, meanwhile."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator

import psutil
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bench.figure import Figure
from tests.house import HOST, Plan, free_base, house

GUESSES = 10_000
AT_ONCE = 20
BAD_FRAME = b"\x81\x86\0\0\0\0guess!"
"""A masked text frame (RFC 6455, 5.2) with a ticket that is none."""


def run() -> Iterator[Figure]:
    """Guess while somebody signs in to the feed over and over."""
    yield from asyncio.run(_measure())


async def _measure() -> list[Figure]:
    async with house(Plan(free_base(30000, 32000))) as home, home.desk() as desk:
        pid = home.supervisor.pid("web")
        assert pid is not None
        web = psutil.Process(pid)
        waits = [await _handshake(home.url, desk.client.cookies["livemon"]) for _ in range(20)]
        quiet, before, spent = max(waits), web.memory_info().rss, sum(web.cpu_times()[:2])
        began = time.monotonic()
        attack = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.guessing", str(home.plan.web), stdout=asyncio.subprocess.PIPE
        )
        waits = []
        while attack.returncode is None:
            waits.append(await _handshake(home.url, desk.client.cookies["livemon"]))
            await asyncio.sleep(0.05)
        assert attack.stdout is not None
        answers = json.loads(await attack.stdout.read())
        seconds = time.monotonic() - began
        grown = (web.memory_info().rss - before) / 1e6
        spent = sum(web.cpu_times()[:2]) - spent
    let_in = sum(count for answer, count in answers.items() if answer not in ("401", "403", "1008"))
    where = f"{GUESSES} guesses in {seconds:.0f} s: {answers}; {len(waits)} good handshakes, ticket to snapshot"
    waits.sort()
    return [
        Figure("guesses_let_in", let_in, "guesses", "0", where),
        Figure("guesses_good_handshake_p50", round(1000 * waits[len(waits) // 2], 1), "ms", "<= 100", where),
        Figure("guesses_good_handshake_p99", round(1000 * waits[int(0.99 * len(waits))], 1), "ms", "<= 100", where),
        Figure("guesses_good_handshake_worst", round(1000 * waits[-1], 1), "ms", "<= 100", where),
        Figure("guesses_quiet_handshake_worst", round(1000 * quiet, 1), "ms", "", "20 handshakes before the attack"),
        Figure("guesses_memory", round(grown, 1), "MB", "flat: <= 5", where),
        Figure("guesses_cpu", round(1e6 * spent / GUESSES), "us a guess", "", where),
    ]


async def _handshake(url: str, cookie: str) -> float:
    """Fetch a ticket, open the feed, wait for the snapshot; return the seconds from the handshake on."""
    headers = {"Origin": url, "Cookie": f"livemon={cookie}"}
    port = int(url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(_request(port, "POST", "/api/ticket", headers | {"Connection": "close", "Content-Length": "0"}))
    answer = await reader.read()
    assert b" 200 " in answer.partition(b"\r\n")[0], answer
    ticket = json.loads(answer.partition(b"\r\n\r\n")[2])["ticket"]
    writer.close()
    began = time.monotonic()
    feed = url.replace("http", "ws") + "/api/feed"
    async with connect(feed, subprotocols=[Subprotocol("livemon-feed.1")], additional_headers=headers) as page:
        await page.send(json.dumps({"type": "ticket", "ticket": ticket}))
        assert json.loads(await page.recv())["type"] == "snapshot"
        return time.monotonic() - began


def _request(port: int, method: str, path: str, headers: dict[str, str]) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {HOST}:{port}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _attack(port: int) -> Counter[str]:
    """Guess `GUESSES` times, a quarter each: no such ticket, a foreign Origin, none at all, no such cookie."""
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    upgrade["Sec-WebSocket-Protocol"] = "livemon-feed.1"
    origins = ({"Origin": f"http://{HOST}:{port}"}, {"Origin": "https://evil.example"}, {})
    answers: Counter[str] = Counter()

    async def guess(number: int) -> str:
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            if number % 4 == 3:
                cookie = base64.urlsafe_b64encode(os.urandom(24)).decode()
                writer.write(
                    _request(port, "GET", "/api/calls", {"Cookie": f"livemon={cookie}", "Connection": "close"})
                )
                return (await reader.readline()).split()[1].decode()
            key = {"Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode()}
            writer.write(_request(port, "GET", "/api/feed", upgrade | key | origins[number % 4]) + BAD_FRAME)
            status = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            if status != "101":
                return status
            # The server's first frame is a close frame with its code (RFC 6455, 5.5.1), or it let us in.
            head = await reader.readexactly(4)
            return str(int.from_bytes(head[2:4], "big")) if head[0] == 0x88 else "let in"
        finally:
            writer.close()

    async def worker(first: int) -> None:
        for number in range(first, GUESSES, AT_ONCE):
            answers[await guess(number)] += 1

    async with asyncio.TaskGroup() as group:
        for first in range(AT_ONCE):
            group.create_task(worker(first))
    return answers


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_attack(int(sys.argv[1])))))
