"""The lean transport against aiortc as a browser: real ICE, DTLS and SRTP over loopback."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from aiortc.rtcdtlstransport import RTCCertificate

from livemon.errors import Refused
from livemon.listen import offer as sdp
from livemon.listen.lean import Peer
from livemon.listen.rtp import RtpPacket
from livemon.listen.udp import UdpPort
from tests.listening import FLAG_DTMF, RtcClient, Wire, from_ulaw, peak_hz

pytestmark = pytest.mark.slow

CERTIFICATE = RTCCertificate.generateCertificate()


class Pair:
    """A browser and our side of it."""

    def __init__(self, client: RtcClient, peer: Peer) -> None:
        self.client = client
        self.peer = peer
        self.mic: list[tuple[RtpPacket, str]] = []
        self.closed: list[str] = []


async def pair(udp: UdpPort, mic_hz: float | None = None, lines: int = 3) -> Pair:
    client = RtcClient(mic_hz, lines)
    offer = sdp.parse(await client.offer())
    assert isinstance(offer, sdp.Offer), offer
    made: list[Pair] = []
    peer = Peer(
        udp,
        offer,
        CERTIFICATE,
        lambda packet, codec: made[0].mic.append((packet, codec)),
        lambda reason: made[0].closed.append(reason),
    )
    made.append(Pair(client, peer))
    await client.accept(peer.answer())
    return made[0]


async def joined(udp: UdpPort, mic_hz: float | None = None, lines: int = 3) -> Pair:
    made = await pair(udp, mic_hz, lines)
    assert await made.peer.connect(asyncio.Semaphore(1))
    assert await made.client.connected()
    return made


@pytest.fixture
async def close() -> AsyncIterator[Callable[[Pair], Pair]]:
    held: list[Pair] = []

    def hold(made: Pair) -> Pair:
        held.append(made)
        return made

    yield hold
    for made in held:
        await made.peer.close()
        await made.client.close()


async def play(made: Pair, seconds: float, wires: dict[int, Wire]) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    for n in range(int(seconds * 50)):
        for slot, wire in wires.items():
            assert made.peer.senders[slot].forward(wire.packet(int(loop.time() * 1e6)), "PCMU")
        await asyncio.sleep(max(0.0, start + (n + 1) * 0.02 - loop.time()))


async def test_three_tones_arrive_in_their_slots(udp: UdpPort, close: Callable[[Pair], Pair]) -> None:
    made = close(await joined(udp))
    await play(made, 1.5, {0: Wire(1, 440), 1: Wire(2, 880), 2: Wire(3, 1320)})
    for slot, hz in enumerate((440, 880, 1320)):
        heard = made.client.samples(slot)[-6400:]
        assert len(heard) == 6400
        found, share = peak_hz(heard, 8000)
        assert abs(found - hz) < 10
        assert share > 0.95


async def test_the_microphone_arrives_as_pcmu(udp: UdpPort, close: Callable[[Pair], Pair]) -> None:
    made = close(await joined(udp, mic_hz=700))
    async with asyncio.timeout(5):
        while len(made.mic) < 40:
            await asyncio.sleep(0.02)
    assert {codec for _, codec in made.mic} == {"PCMU"}
    found, share = peak_hz(from_ulaw(b"".join(p.payload for p, _ in made.mic[5:])), 8000)
    assert abs(found - 700) < 10
    assert share > 0.95


async def test_nothing_is_sent_before_the_handshake(udp: UdpPort, close: Callable[[Pair], Pair]) -> None:
    made = close(await pair(udp))
    assert not made.peer.connected
    assert not made.peer.senders[0].forward(Wire(1, 440).packet(0), "PCMU")
    assert made.peer.senders[0].packets == 0


async def test_an_event_or_an_unknown_codec_is_left_out(udp: UdpPort, close: Callable[[Pair], Pair]) -> None:
    made = close(await joined(udp))
    wire = Wire(1, 440)
    sender = made.peer.senders[0]
    assert not sender.forward(wire.packet(0, flags=FLAG_DTMF), "PCMU")
    assert not sender.forward(wire.packet(20_000), "G729")
    assert sender.forward(wire.packet(40_000), "PCMU")
    assert sender.packets == 1
    assert {"PCMU", "PCMA", "G722", "OPUS"} == sender.codecs


async def test_the_browser_reports_on_our_streams(udp: UdpPort, close: Callable[[Pair], Pair]) -> None:
    made = close(await joined(udp))
    await play(made, 1.6, {0: Wire(1, 440)})
    made.peer.send_reports()
    async with asyncio.timeout(4):
        while made.peer.senders[0].report is None:
            await asyncio.sleep(0.02)
    assert made.peer.senders[0].report.lost == 0


async def test_closing_in_the_browser_is_seen(udp: UdpPort, close: Callable[[Pair], Pair]) -> None:
    made = close(await joined(udp))
    await made.client.close()
    async with asyncio.timeout(3):
        while not made.closed:
            await asyncio.sleep(0.01)
    assert made.closed == ["browser_closed"]
    assert len(udp.mux) == 0


async def test_a_silent_browser_is_dead(udp: UdpPort, close: Callable[[Pair], Pair]) -> None:
    made = close(await joined(udp))
    (agent,) = udp.mux.dead(1e9)
    agent.peer.on_dead()
    agent.peer.on_dead()
    assert made.closed == ["consent_lost"]
    assert not made.peer.connected


async def test_a_peer_that_is_closed_early_never_connects(udp: UdpPort, close: Callable[[Pair], Pair]) -> None:
    made = close(await pair(udp))
    await made.peer.close()
    await made.peer.close()
    assert not await made.peer.connect(asyncio.Semaphore(1))


async def test_junk_that_claims_to_be_media_is_counted(udp: UdpPort, close: Callable[[Pair], Pair]) -> None:
    made = close(await joined(udp))
    made.peer.on_datagram(bytes([0x80, 0]) + secrets.token_bytes(40))
    made.peer.on_datagram(bytes([0x80, 201]) + secrets.token_bytes(40))
    assert udp.mux.counters.refused["srtp"] == 2
    assert made.peer.connected


async def test_an_ice_restart_gives_new_credentials_and_keeps_the_audio(
    udp: UdpPort, close: Callable[[Pair], Pair]
) -> None:
    made = close(await joined(udp))
    text = (await made.client.offer()).replace("a=ice-ufrag:", "a=ice-ufrag:new")
    offer = sdp.parse(text)
    assert isinstance(offer, sdp.Offer)
    before = made.peer.answer()
    after = made.peer.restart(offer)
    assert ufrag(before) != ufrag(after)
    assert ufrag(made.peer.restart(offer)) == ufrag(after)
    await play(made, 0.6, {0: Wire(1, 440)})
    assert abs(peak_hz(made.client.samples(0)[-3200:], 8000)[0] - 440) < 10


async def test_an_offer_of_another_connection_is_no_restart(udp: UdpPort, close: Callable[[Pair], Pair]) -> None:
    made = close(await joined(udp))
    other = close(await pair(udp))
    offer = sdp.parse(await other.client.offer())
    assert isinstance(offer, sdp.Offer)
    with pytest.raises(Refused, match="another connection"):
        made.peer.restart(offer)
    changed = sdp.parse((await made.client.offer()).replace("rtpmap:0 PCMU", "rtpmap:0 XXXX"))
    assert isinstance(changed, sdp.Offer)
    with pytest.raises(Refused, match="payload types"):
        made.peer.restart(changed)


def ufrag(answer: str) -> str:
    return next(line for line in answer.splitlines() if line.startswith("a=ice-ufrag:"))


async def test_a_hop_continues_the_stream_without_a_gap(udp: UdpPort, close: Callable[[Pair], Pair]) -> None:
    made = close(await joined(udp))
    await play(made, 0.8, {0: Wire(1, 440)})
    made.peer.senders[0].cut()
    await play(made, 0.8, {0: Wire(9, 1000, seq=60000, rtp_ts=7)})
    heard = made.client.samples(0)
    assert abs(peak_hz(heard[-2400:], 8000)[0] - 1000) < 10
    assert np.sqrt((heard[1600:] ** 2).mean()) > 0.1
