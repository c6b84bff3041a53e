"""Real sockets on the loopback interface."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from sip_bridge.hooks import Hop
from sip_bridge.transport import HOPS, StreamLimits, Streams, UdpSocket

ONE = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"


class Ears:
    """Keeps what a shell was given."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, Hop]] = []
        self.batches = 0
        self.dead: list[Hop] = []
        self.counters: Counter[str] = Counter()
        self._news = asyncio.Event()

    def receive(self, data: bytes, source: Hop) -> None:
        self.got.append((data, source))
        self._news.set()

    def after(self) -> None:
        self.batches += 1
        self._news.set()

    def broken(self, hop: Hop) -> None:
        self.dead.append(hop)
        self._news.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.got) + len(self.dead) < count:
                self._news.clear()
                await self._news.wait()


def udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


async def test_datagrams_come_with_their_source_and_answers_go_back() -> None:
    ears = Ears()
    sock, peer = udp(), udp()
    loop = asyncio.get_running_loop()
    shell = UdpSocket(sock, 3, ears.receive, ears.counters)
    shell.open(loop, ears.after)
    peer.sendto(b"one", sock.getsockname())
    peer.sendto(b"two", sock.getsockname())
    await ears.until(2)
    source = ears.got[0][1]
    assert [data for data, _ in ears.got] == [b"one", b"two"]
    assert (source, source.local) == (Hop("udp", *peer.getsockname()), 3)
    assert ears.got[1][1] is source
    shell.send(b"back", source.host, source.port)
    assert peer.recv(100) == b"back"
    shell.send(b"x" * 70000, source.host, source.port)
    assert ears.counters["send_failed"] == 1
    shell.close(loop)
    sock.close()
    peer.close()


async def test_a_socket_that_fails_is_counted_and_read_again() -> None:
    ears = Ears()
    sock = udp()
    shell = UdpSocket(sock, 0, ears.receive, ears.counters)
    sock.close()
    shell._readable(ears.after)
    assert ears.counters["receive_failed"] == 1
    assert ears.batches == 1


def test_sources_are_remembered_only_so_many() -> None:
    shell = UdpSocket(sock := udp(), 0, lambda data, source: None, Counter())
    for port in range(HOPS + 1):
        shell._hop(("127.0.0.1", port))
    assert len(shell._hops) == 1
    sock.close()


@pytest.fixture
async def ears() -> Ears:
    return Ears()


async def opened(ears: Ears, limits: StreamLimits) -> tuple[Streams, int]:
    streams = Streams(limits, ears.receive, ears.after, ears.broken, ears.counters)
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    await streams.listen(sock, 0)
    return streams, int(sock.getsockname()[1])


@pytest.fixture
async def streams(ears: Ears) -> AsyncIterator[tuple[Streams, int]]:
    made, port = await opened(ears, StreamLimits(connections=2, per_host=2, write_buffer=1000, waiting=2))
    yield made, port
    await made.close()


async def test_a_stream_is_cut_into_messages_and_pings_are_answered(ears: Ears, streams: tuple[Streams, int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", streams[1])
    writer.write(b"\r\n\r\n" + ONE + ONE[:10])
    assert await reader.readexactly(2) == b"\r\n"
    writer.write(ONE[10:])
    await ears.until(2)
    source = ears.got[0][1]
    assert [data for data, _ in ears.got] == [ONE, ONE]
    streams[0].send(source, b"answer", None)
    assert await reader.readexactly(6) == b"answer"
    writer.close()
    await writer.wait_closed()


async def test_a_broken_stream_is_closed(ears: Ears, streams: tuple[Streams, int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", streams[1])
    writer.write(b"no length\r\n\r\n")
    assert await reader.read() == b""
    assert ears.counters["broken_streams"] == 1
    writer.close()
    assert len(streams[0]) == 0


async def test_connections_past_the_limit_are_refused(ears: Ears, streams: tuple[Streams, int]) -> None:
    pairs = [await asyncio.open_connection("127.0.0.1", streams[1]) for _ in range(3)]
    with pytest.raises(ConnectionResetError):
        if await pairs[2][0].read() == b"":
            raise ConnectionResetError
    assert ears.counters["refused_streams"] == 1
    assert len(streams[0]) == 2
    for _, writer in pairs:
        writer.close()


async def test_a_connection_is_made_used_again_and_found_by_its_name(ears: Ears, streams: tuple[Streams, int]) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    gone = Hop("tcp", "127.0.0.1", 1)
    target = Hop("tcp", "localhost", port)
    for _ in range(4):
        streams[0].send(gone, ONE, target)
    assert ears.counters["send_failed"] == 2
    async with asyncio.timeout(5):
        while len(streams[0]) < 2:
            await asyncio.sleep(0.01)
    streams[0].send(target, ONE, None)
    assert len(streams[0]._connections) == 2
    accepted, _ = listening.accept()
    accepted.settimeout(5)
    want = ONE * 3
    while want:
        want = want[len(accepted.recv(len(want))) :]
    accepted.close()
    listening.close()
    async with asyncio.timeout(5):
        while len(streams[0]):
            await asyncio.sleep(0.01)


async def test_a_peer_that_cannot_be_reached_is_reported(ears: Ears, streams: tuple[Streams, int]) -> None:
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    hop = Hop("tcp", "127.0.0.1", port)
    streams[0].send(hop, ONE, None)
    await ears.until(1)
    assert ears.dead == [hop]
    assert ears.counters["dial_failed"] == 1


async def test_a_peer_that_does_not_read_is_cut(ears: Ears, streams: tuple[Streams, int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", streams[1])
    writer.write(ONE)
    await ears.until(1)
    source = ears.got[0][1]
    for _ in range(200):
        streams[0].send(source, b"x" * 65536, None)
    assert ears.counters["slow_streams"] == 1
    streams[0]._connections[source.host, source.port].write(b"nobody there")
    writer.close()
    reader.feed_eof()


async def test_idle_and_unfinished_streams_are_cut(ears: Ears) -> None:
    made, port = await opened(ears, StreamLimits(idle=1000.0, partial=0.0))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ONE + b"OPT")
    await ears.until(1)
    async with asyncio.timeout(5):
        while not ears.counters["idle_streams"]:
            made.sweep()
            await asyncio.sleep(0.01)
    assert await reader.read() == b""
    writer.close()
    await made.close()
