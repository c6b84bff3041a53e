"""The sockets: UDP read in place, TCP connections with limits. Nothing here knows SIP beyond where a message ends."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from sip_bridge.hooks import Hop
from sip_bridge.message import MAX_MESSAGE
from sip_bridge.tasks import Tasks
from sip_bridge.transport_framing import Framer

log = logging.getLogger(__name__)

Receive = Callable[[bytes, Hop], None]
"""Called with each message and its source."""

BATCH: Final = 64
"""Datagrams read before other events get their turn."""
BUSY: Final = 0.0002
"""Seconds between two turns of the loop that say datagrams are queueing."""
RECEIVE_BUFFER: Final = 4 << 20
"""Bytes the kernel may hold while we are busy: a second of 200 calls/s is 2 MB."""
HOPS: Final = 4096
"""Sources whose Hop objects are kept for re-use."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Limits of TCP connections, so that strangers cannot fill us."""

    connections: int = 2000
    per_host: int = 200
    """An office behind one address."""
    idle: float = 7200.0
    """Seconds without a byte; phones re-register at least every hour."""
    partial: float = 30.0
    """Seconds a message may take from its first byte to its last."""
    write_buffer: int = 1 << 18
    """Bytes waiting for a peer that does not read; it is cut beyond."""
    dial: float = 8.0
    """Seconds to connect; a quarter of timer B."""
    waiting: int = 64
    """Messages held while a connection is being made."""


class UdpSocket:
    """One UDP socket, number `local` in the configuration."""

    def __init__(self, sock: socket.socket, local: int, receive: Receive, counters: Counter[str]) -> None:
        self._sock = sock
        self._local = local
        self._receive = receive
        self._counters = counters
        # asyncio's own datagram transports take a fresh 256 KiB for every datagram.
        self._buffer = bytearray(MAX_MESSAGE)
        self._hops: dict[tuple[str, int], Hop] = {}
        self._clock: Callable[[], float] = float
        self._read_at = 0.0
        self.six = sock.family == socket.AF_INET6

    def open(self, loop: asyncio.AbstractEventLoop, after: Callable[[], None]) -> None:
        """Begin to read; `after` is called after each batch."""
        self._clock = loop.time
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        loop.add_reader(self._sock.fileno(), self._readable, after)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop reading; the socket belongs to whoever opened it."""
        loop.remove_reader(self._sock.fileno())

    def send(self, data: bytes, host: str, port: int) -> None:
        """Send one datagram, or lose it: retransmission is the transactions' business."""
        try:
            self._sock.sendto(data, (host, port))
        except OSError as error:
            self._counters["send_failed"] += 1
            log.debug("datagram not sent: %s", error)

    def _readable(self, after: Callable[[], None]) -> None:
        buffer = self._buffer
        now = self._clock()
        # One datagram a turn is the rule; asking for a second costs a system call and an exception. Only when this
        # turn follows the last one at once is there likely to be more.
        batch = BATCH if now - self._read_at < BUSY else 1
        for _ in range(batch):
            try:
                size, address = self._sock.recvfrom_into(buffer)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self._counters["receive_failed"] += 1
                log.debug("datagram not received: %s", error)
                break
            self._receive(bytes(memoryview(buffer)[:size]), self._hop(address))
        self._read_at = self._clock()
        after()

    def _hop(self, address: tuple[str, int]) -> Hop:
        key = address[:2]
        hop = self._hops.get(key)
        if hop is None:
            if len(self._hops) >= HOPS:
                self._hops.clear()
            hop = self._hops[key] = Hop("udp", key[0], key[1], self._local)
        return hop


class Connection(asyncio.Protocol):
    """One TCP connection, ours or a peer's."""

    def __init__(self, streams: Streams, local: int) -> None:
        self._streams = streams
        self._framer = Framer()
        self._local = local
        self._transport: asyncio.Transport | None = None
        self.hop = Hop("tcp", "", 0, local)
        self.heard_at = 0.0
        """When the last byte came (s)."""
        self.partial_since: float | None = None
        """Since when a message is incomplete (s)."""
        self.names: tuple[str, int] = ("", 0)
        """The host and port we dialled: a peer reached by name is found by its name as well."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, or refuse it past the limits."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername") or ("", 0)
        self.hop = Hop("tcp", str(peer[0]), int(peer[1]), self._local)
        self.heard_at = self._streams.now()
        if not self._streams.admit(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._streams.lost(self)

    def data_received(self, data: bytes) -> None:
        """Cut the stream into messages."""
        now = self.heard_at = self._streams.now()
        messages, pongs = self._framer.feed(data)
        if pongs:
            self.write(b"\r\n" * pongs)  # RFC 5626, 3.5.1
        for message in messages:
            self._streams.receive(message, self.hop)
        self.partial_since = (self.partial_since or now) if self._framer.pending else None
        if messages and self.partial_since is not None:
            self.partial_since = now
        self._streams.after()
        if self._framer.broken and self._transport is not None:
            self._streams.counters["broken_streams"] += 1
            self._transport.close()

    def write(self, data: bytes) -> None:
        """Send bytes; a peer that does not read is cut."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > self._streams.limits.write_buffer:
            self._streams.counters["slow_streams"] += 1
            transport.abort()
            return
        transport.write(data)

    def cut(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()


class Streams:
    """All TCP connections of a shell, found by peer address."""

    def __init__(
        self,
        limits: StreamLimits,
        receive: Receive,
        after: Callable[[], None],
        broken: Callable[[Hop], None],
        counters: Counter[str],
    ) -> None:
        self.limits = limits
        self.receive = receive
        self.after = after
        self.counters = counters
        self._broken = broken
        self._connections: dict[tuple[str, int], Connection] = {}
        self._hosts: Counter[str] = Counter()
        self._waiting: dict[tuple[str, int], list[bytes]] = {}
        self._servers: list[asyncio.Server] = []
        self._tasks = Tasks("sip")
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._connections)

    def now(self) -> float:
        """Return the monotonic time (s)."""
        return self._loop.time()

    async def listen(self, sock: socket.socket, local: int) -> None:
        """Accept connections on an open listening socket."""
        sock.setblocking(False)
        self._servers.append(await self._loop.create_server(lambda: Connection(self, local), sock=sock))

    async def close(self) -> None:
        """Cut every connection."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections.values()):
            connection.cut()
        await self._tasks.close()

    def admit(self, connection: Connection) -> bool:
        """Take a new connection into the table; False past the limits."""
        host = connection.hop.host
        if len(self._connections) >= self.limits.connections or self._hosts[host] >= self.limits.per_host:
            self.counters["refused_streams"] += 1
            return False
        self._hosts[host] += 1
        self._connections[host, connection.hop.port] = connection
        return True

    def lost(self, connection: Connection) -> None:
        """Forget a connection that ended."""
        host = connection.hop.host
        key = (host, connection.hop.port)
        if self._connections.get(key) is not connection:
            return
        del self._connections[key]
        if self._connections.get(connection.names) is connection:
            del self._connections[connection.names]
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]

    def send(self, hop: Hop, data: bytes, fallback: Hop | None) -> None:
        """Send over the connection to `hop`, or over a new one to `fallback` (or `hop`)."""
        for target in (hop, fallback):
            if target is not None and (found := self._connections.get((target.host, target.port))) is not None:
                found.write(data)
                return
        target = fallback or hop
        key = (target.host, target.port)
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = [data]
            self._tasks.start(self._dial(target), f"dial {target.port}")
        elif len(waiting) < self.limits.waiting:
            waiting.append(data)
        else:
            self.counters["send_failed"] += 1

    async def _dial(self, hop: Hop) -> None:
        key = (hop.host, hop.port)
        try:
            async with asyncio.timeout(self.limits.dial):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self, hop.local), hop.host, hop.port
                )
        except OSError as error:
            log.info("no connection: %s", error)
            self.counters["dial_failed"] += 1
            self._waiting.pop(key, None)
            self._broken(hop)
            return
        connection.names = key
        self._connections.setdefault(key, connection)
        for data in self._waiting.pop(key, ()):
            connection.write(data)

    def sweep(self) -> None:
        """Cut connections that are idle, or whose message never ends."""
        now = self.now()
        limits = self.limits
        for connection in list(self._connections.values()):
            since = connection.partial_since
            if now - connection.heard_at > limits.idle or (since is not None and now - since > limits.partial):
                self.counters["idle_streams"] += 1
                connection.cut()
