"""500 connections that trickle a header, or a body, against the real web process: when each is cut, and who suffers."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator

from bench.figure import Figure
from tests.house import HOST, Plan, free_base, house

CONNECTIONS = 500
# One address may hold 256 connections; the attack has several.
ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
LINE_EVERY_S = 1.0
# Well past the deadline: what is open then stays open.
WATCH_S = 16.0
HEAD = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n"
BODY = b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n"

PIECES = {"head": (HEAD, b"X-A: b\r\n"), "body": (BODY, b"a")}
"""How a request begins, and what trickles in after that."""


def run() -> Iterator[Figure]:
    """Trickle heads, then bodies."""
    yield from asyncio.run(_measure())


async def _measure() -> list[Figure]:
    figures: list[Figure] = []
    async with house(Plan(free_base(30000, 32000))) as home:
        for name in PIECES:
            figures += await _trickle(home.plan.web, name)
    return figures


async def _trickle(port: int, name: str) -> list[Figure]:
    waits: list[float] = []
    attack = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.slow_headers", str(port), name, stdout=asyncio.subprocess.PIPE
    )
    while attack.returncode is None:
        waits.append(await _ask(port))
        await asyncio.sleep(0.05)
    assert attack.stdout is not None
    lives: list[float | None] = json.loads(await attack.stdout.read())
    cut = sorted(life for life in lives if life is not None)
    waits.sort()
    where = (
        f"{CONNECTIONS} connections from {len(ADDRESSES)} addresses, {LINE_EVERY_S:.0f} s between two pieces of a "
        f"{name}; {len(waits)} good requests meanwhile, each on a new connection"
    )
    return [
        Figure(f"slow_{name}_never_cut", len(lives) - len(cut), "connections", "0", where),
        Figure(f"slow_{name}_last_cut", round(cut[-1], 1) if cut else None, "s", "<= 10 and the clock's grain", where),
        Figure(f"slow_{name}_good_p50", round(1000 * waits[len(waits) // 2], 1), "ms", "<= 50", where),
        Figure(f"slow_{name}_good_p99", round(1000 * waits[int(0.99 * len(waits))], 1), "ms", "<= 50", where),
        Figure(f"slow_{name}_good_worst", round(1000 * waits[-1], 1), "ms", "", where),
    ]


async def _slow(port: int, number: int, start: bytes, drop: bytes) -> float | None:
    """Trickle on one connection; return the seconds from its first byte until it was cut, None if it never was."""
    await asyncio.sleep(number / CONNECTIONS)
    address = ADDRESSES[number % len(ADDRESSES)]
    reader, writer = await asyncio.open_connection(HOST, port, local_addr=(address, 0))
    began = time.monotonic()
    writer.write(start)
    try:
        while time.monotonic() < began + WATCH_S:
            try:
                async with asyncio.timeout(LINE_EVERY_S):
                    while await reader.read(4096):
                        pass
                return time.monotonic() - began
            except TimeoutError:
                writer.write(drop)
        return None
    except ConnectionError:
        return time.monotonic() - began
    finally:
        writer.close()


async def _ask(port: int) -> float:
    """Be somebody with an honest wish; return the seconds from the connection to the whole answer."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert b" 200 " in answer.partition(b"\r\n")[0], answer
    return time.monotonic() - began


async def _attack(port: int, name: str) -> list[float | None]:
    start, drop = PIECES[name]
    return await asyncio.gather(*(_slow(port, number, start, drop) for number in range(CONNECTIONS)))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_attack(int(sys.argv[1]), sys.argv[2]))))
