"""The shell with real sockets, and the runnable."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator

import pytest

from sip_bridge.b2bua.core import B2bua
from sip_bridge.endpoint import EndCounter, OneRoute, SipShell, UntouchedMedia
from sip_bridge.hooks import CallAnswered, Hop, SdpRole, Side
from sip_bridge.message import Request
from sip_bridge.transaction_layer import Advertised, TransactionLayer
from sip_bridge.transport_gate import TokenBuckets


def udp(family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    sock.settimeout(5)
    return sock


def options(sock: socket.socket, branch: str = "1", transport: str = "UDP") -> bytes:
    host, port = sock.getsockname()[:2]
    return (
        f"OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} {host}:{port};rport;branch=z9hG4bK{branch}\r\n"
        "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ).encode()


class Bench:
    """A whole stack on one UDP and one TCP socket, and a peer."""

    def __init__(self, gate: TokenBuckets | None = None) -> None:
        self.udp = udp()
        self.tcp = socket.socket()
        self.tcp.bind(("127.0.0.1", 0))
        self.peer = udp()
        self.peer.setblocking(False)
        own = self.udp.getsockname()
        self.layer = TransactionLayer(Advertised((own,), (self.tcp.getsockname(),)))
        self.b2bua = B2bua(self.layer, OneRoute(Hop("udp", *self.peer.getsockname())), UntouchedMedia(), EndCounter())
        self.shell = SipShell(self.layer, [self.udp], [self.tcp], gate)

    def ask(self, hop: Hop) -> list[int]:
        """Send an OPTIONS to `hop`; the list fills with the statuses heard."""
        heard: list[int] = []
        headers = [("from", "<sip:a>;tag=1"), ("to", "<sip:b>"), ("call-id", "z"), ("cseq", "1 OPTIONS")]
        request = Request("OPTIONS", "sip:b", headers)
        request.cseq = request.cseq._replace(number=1, method="OPTIONS")
        now = asyncio.get_running_loop().time()
        self.layer.send_request(request, hop, lambda response, at: heard.append(response.status), now)
        self.shell.flush()
        return heard

    async def hear(self) -> bytes:
        async with asyncio.timeout(5):
            return await asyncio.get_running_loop().sock_recv(self.peer, 65536)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    await made.shell.start()
    yield made
    await made.shell.close()
    for sock in (made.udp, made.tcp, made.peer):
        sock.close()


async def test_a_datagram_is_answered(bench: Bench) -> None:
    bench.peer.sendto(options(bench.peer), bench.udp.getsockname())
    assert (await bench.hear()).startswith(b"SIP/2.0 200 OK")
    assert bench.shell.connections == 0


async def test_a_stream_is_answered(bench: Bench) -> None:
    reader, writer = await asyncio.open_connection(*bench.tcp.getsockname())
    writer.write(options(bench.peer, transport="TCP"))
    assert (await reader.readline()) == b"SIP/2.0 200 OK\r\n"
    assert bench.shell.connections == 1
    writer.close()


@pytest.mark.slow
async def test_the_timer_is_armed_for_retransmissions(bench: Bench) -> None:
    bench.ask(Hop("udp", *bench.peer.getsockname()))
    first = await bench.hear()
    assert await bench.hear() == first


@pytest.mark.slow
async def test_names_are_looked_up_and_remembered(bench: Bench) -> None:
    hop = Hop("udp", "localhost", bench.peer.getsockname()[1])
    bench.ask(hop)
    await bench.hear()
    bench.ask(hop)
    await bench.hear()
    assert list(bench.shell._names) == ["localhost"]


async def test_names_that_lead_nowhere_end_the_request(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*args: object, **kwargs: object) -> object:
        raise socket.gaierror

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
    heard = bench.ask(Hop("udp", "nowhere.invalid", 5060))
    async with asyncio.timeout(5):
        while not heard:
            await asyncio.sleep(0)
    assert heard == [503]
    assert bench.shell.counters["unresolved"] == 1


async def test_an_ip_version_we_do_not_speak_is_counted(bench: Bench) -> None:
    bench.ask(Hop("udp", "::1", 5060))
    bench.ask(Hop("udp", "1.2.3.4.5", 5060))
    assert bench.shell.counters["send_failed"] == 1


async def test_a_stream_that_cannot_be_dialled_is_503(bench: Bench) -> None:
    free = udp()
    port = free.getsockname()[1]
    free.close()
    heard = bench.ask(Hop("tcp", "127.0.0.1", port))
    async with asyncio.timeout(5):
        while not heard:
            await asyncio.sleep(0.01)
    assert heard == [503]


async def test_the_gate_drops_what_is_too_much() -> None:
    made = Bench(TokenBuckets(rate=0.0, burst=1.0))
    await made.shell.start()
    for branch in ("1", "2"):
        made.peer.sendto(options(made.peer, branch), made.udp.getsockname())
    await made.hear()
    async with asyncio.timeout(5):
        while not made.shell.counters["gated"]:
            await asyncio.sleep(0.01)
    assert made.layer.counters["received"] == 1
    await made.shell.close()
    for sock in (made.udp, made.tcp, made.peer):
        sock.close()


async def test_the_second_socket_speaks_the_other_ip_version() -> None:
    four, six, peer = udp(), udp(socket.AF_INET6), udp(socket.AF_INET6)
    own = tuple(sock.getsockname()[:2] for sock in (four, six))
    shell = SipShell(TransactionLayer(Advertised(own)), [four, six])
    await shell.start()
    shell._send_udp(Hop("udp", "::1", peer.getsockname()[1]), "::1", b"six")
    assert peer.recv(10) == b"six"
    await shell.close()
    for sock in (four, six, peer):
        sock.close()


def test_the_one_route_keeps_the_user() -> None:
    route = OneRoute(Hop("udp", "::1", 5080)).route("INVITE", "sip:bob@h", Hop("udp", "h", 1), Request("X", "", []))
    assert route.request_uri == "sip:bob@[::1]:5080"
    assert (
        OneRoute(Hop("udp", "h", 1)).route("X", "sip:h", Hop("udp", "h", 1), Request("X", "", [])).request_uri
        == "sip:h:1"
    )


def test_the_stand_ins_do_nothing() -> None:
    media = UntouchedMedia()
    assert media.sdp("c", Side.CALLER, SdpRole.OFFER, b"x") == b"x"
    media.refused("c", Side.CALLER)
    media.ended("c")
    counter = EndCounter()
    counter.on_call(CallAnswered("c"), 0.0)
    assert counter.events == {"CallAnswered": 1}


@pytest.mark.slow
async def test_the_runnable_answers_reports_and_stops() -> None:
    probe = udp()
    address = probe.getsockname()
    probe.close()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sip_bridge.endpoint", "--listen", f"127.0.0.1:{address[1]}", "--route", "127.0.0.1:9",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    peer = udp()
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(20):
        while True:
            peer.sendto(options(peer), address)
            try:
                async with asyncio.timeout(0.2):
                    data = await loop.sock_recv(peer, 65536)
                break
            except TimeoutError:
                continue
        assert data.startswith(b"SIP/2.0 200")
        os.kill(process.pid, signal.SIGUSR1)
        report = json.loads(await process.stdout.readline())
        assert report["tables"]["calls"] == 0
        process.terminate()
        assert await process.wait() == 0
    peer.close()
