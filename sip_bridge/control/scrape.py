"""The small HTTP port for Prometheus and health checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from sip_bridge.metrics import MAX_REQUEST, answer

DEADLINE: Final = 5.0
"""Seconds a client has for its whole request: a slow one must not hold a connection."""
MAX_CLIENTS: Final = 16
"""Connections at a time; a scraper needs one."""


class ScrapeServer:
    """Answers `/metrics`, `/healthz` and `/readyz`."""

    def __init__(self, body: Callable[[], str], ready: Callable[[], bool]) -> None:
        self._body = body
        self._ready = ready
        self._clients = 0
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen and return the port."""
        self._server = await asyncio.start_server(self._client, host, port, limit=MAX_REQUEST)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            if self._clients <= MAX_CLIENTS:
                async with asyncio.timeout(DEADLINE):
                    request = await reader.readuntil(b"\r\n\r\n")
                    writer.write(answer(request, self._body(), self._ready()))
                    await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            self._clients -= 1
            writer.close()
