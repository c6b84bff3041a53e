"""A stranger who reaches the media port cannot keep a supervisor from connecting, nor end a session.

One empty datagram used to end an aiortc session for good (IndexError in the DTLS reader), and a ClientHello from a
foreign address during set-up took the handshake over (ASVS 17.2.6; same class as Asterisk CVE-2023-49786). Reached by
sending to the open UDP port while a browser connects.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from collections.abc import AsyncIterator

import pytest
from aiortc.rtcdtlstransport import RTCCertificate

from livemon.listen import offer as sdp
from livemon.listen import stun
from livemon.listen.lean import Peer
from livemon.listen.udp import UdpPort
from tests.listening import RtcClient, Wire, peak_hz

pytestmark = pytest.mark.slow

CERTIFICATE = RTCCertificate.generateCertificate()


def client_hello() -> bytes:
    """Return a DTLS 1.2 ClientHello that offers the null cipher only (RFC 6347, 4.2.2; TLS_RSA_WITH_NULL_SHA)."""
    body = b"\xfe\xfd" + secrets.token_bytes(32) + b"\x00\x00" + struct.pack(">HH", 2, 0x0002) + b"\x01\x00"
    handshake = b"\x01" + len(body).to_bytes(3, "big") + bytes(5) + len(body).to_bytes(3, "big") + body
    return b"\x16\xfe\xfd" + bytes(8) + struct.pack(">H", len(handshake)) + handshake


@pytest.fixture
async def udp(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[UdpPort]:
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])
    port = UdpPort.bind("127.0.0.1", 0)
    yield port
    port.close()


@pytest.fixture
def stranger() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


async def connect(udp: UdpPort) -> tuple[RtcClient, Peer]:
    client = RtcClient()
    offer = sdp.parse(await client.offer())
    assert isinstance(offer, sdp.Offer)
    peer = Peer(udp, offer, CERTIFICATE, lambda packet, codec: None, lambda reason: None)
    joins = asyncio.Semaphore(1)
    await client.accept(peer.answer())
    assert await peer.connect(joins)
    assert await client.connected()
    return client, peer


async def spray(udp: UdpPort, stranger: socket.socket, data: bytes) -> None:
    while True:
        stranger.sendto(data, ("127.0.0.1", udp.port))
        await asyncio.sleep(0.001)


async def audio_flows(client: RtcClient, peer: Peer) -> None:
    wire = Wire(1, 440)
    loop = asyncio.get_running_loop()
    for _ in range(40):
        peer.senders[0].forward(wire.packet(int(loop.time() * 1e6)), "PCMU")
        await asyncio.sleep(0.02)
    assert abs(peak_hz(client.samples(0)[-3200:], 8000)[0] - 440) < 10


@pytest.mark.parametrize("attempt", range(12))
async def test_a_sprayed_client_hello_stops_no_set_up(udp: UdpPort, stranger: socket.socket, attempt: int) -> None:
    attack = asyncio.create_task(spray(udp, stranger, client_hello()))  # noqa: TID251 - cancelled below
    client, peer = await connect(udp)
    attack.cancel()
    assert udp.mux.counters.refused["unvalidated_source"] > 0
    await client.close()
    await peer.close()
    stranger.close()


@pytest.mark.parametrize("attempt", range(3))
async def test_an_empty_datagram_ends_nothing(udp: UdpPort, stranger: socket.socket, attempt: int) -> None:
    client, peer = await connect(udp)
    for _ in range(20):
        stranger.sendto(b"", ("127.0.0.1", udp.port))
    await audio_flows(client, peer)
    assert udp.mux.counters.refused["empty"] == 20
    assert peer.connected
    await client.close()
    await peer.close()
    stranger.close()


async def test_390_odd_datagrams_and_200_hellos_end_nothing(udp: UdpPort, stranger: socket.socket) -> None:
    client, peer = await connect(udp)
    shapes = (b"\x00", b"\x14", b"\x16", b"\x17", b"\x80", b"\xff")
    for length in range(65):
        for shape in shapes:
            stranger.sendto(shape + secrets.token_bytes(length), ("127.0.0.1", udp.port))
    for _ in range(200):
        stranger.sendto(client_hello(), ("127.0.0.1", udp.port))
    await audio_flows(client, peer)
    assert sum(udp.mux.counters.refused.values()) == 590
    await client.close()
    await peer.close()
    stranger.close()


async def test_checks_with_a_wrong_password_move_no_audio(udp: UdpPort, stranger: socket.socket) -> None:
    client, peer = await connect(udp)
    ufrag = next(line[12:] for line in peer.answer().splitlines() if line.startswith("a=ice-ufrag:"))
    for n in range(2000):
        forged = stun.request(n.to_bytes(12, "big"), f"{ufrag}:x", "wrong", use_candidate=True)
        stranger.sendto(forged, ("127.0.0.1", udp.port))
        if n % 100 == 0:
            await asyncio.sleep(0.002)
    await audio_flows(client, peer)
    assert udp.mux.counters.refused["bad_integrity"] == 2000
    stranger.setblocking(False)
    with pytest.raises(BlockingIOError):
        stranger.recv(100)
    await client.close()
    await peer.close()
    stranger.close()
