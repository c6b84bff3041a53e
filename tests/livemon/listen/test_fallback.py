"""The WebSocket fallback with a plain WebSocket client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from livemon.bus.messages import ListenClose, ListenMode, ListenOpen, ListenRestart
from livemon.listen import fallback as module
from livemon.listen import frames
from livemon.listen.fallback import SUBPROTOCOL, FallbackServer, SocketTransport
from livemon.listen.ports import LegMedia
from livemon.listen.service import ListenService
from livemon.listen.udp import UdpPort
from tests.listening import FLAG_DTMF, Calls, MemoryAudit, RtcClient, States, Wire, from_ulaw, peak_hz, principal, tone

pytestmark = pytest.mark.slow

ORIGIN = Origin("https://desk.example")


class Desk:
    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.states = States()
        self.audit = MemoryAudit()
        self.service = ListenService(calls, self.audit, self.states, None, fallback_url="ws://x/")

    async def start(self) -> None:
        self.server = await FallbackServer.start(self.service, "127.0.0.1", 0, [ORIGIN])

    async def ticket(self) -> str:
        return (await self.service.open(ListenOpen(principal(), "call-1", "", ""))).fallback_ticket

    async def dial(self, origin: Origin = ORIGIN) -> ClientConnection:
        return await connect(
            f"ws://127.0.0.1:{self.server.port}/", origin=origin, subprotocols=[SUBPROTOCOL], compression=None
        )

    async def join(self) -> ClientConnection:
        socket = await self.dial()
        await socket.send(json.dumps({"type": "ticket", "ticket": await self.ticket()}))
        ready = json.loads(await socket.recv())
        assert (ready["type"], ready["rate"], ready["slots"]) == ("ready", 8000, ["agent", "customer", "others"])
        await until(lambda: self.states.last.state == "connected")
        return socket


async def until(condition: object) -> None:
    async with asyncio.timeout(3):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


@pytest.fixture
async def desk(calls: Calls) -> AsyncIterator[Desk]:
    made = Desk(calls)
    await made.start()
    yield made
    await made.service.aclose()
    await made.server.close()


async def test_both_legs_arrive_as_numbered_mulaw(desk: Desk) -> None:
    desk.calls.live["call-1"].customer_leg = LegMedia(2, "customer", "PCMA")
    socket = await desk.join()
    agent, customer = Wire(1, 440), Wire(2, 880)
    heard: dict[int, list[bytes]] = {0: [], 1: []}
    seqs: list[int] = []
    for n in range(50):
        desk.service.on_packet(agent.packet(n * 20_000, flags=FLAG_DTMF if n == 10 else 0), "b1")
        desk.service.on_packet(customer.packet(n * 20_000, bytes([0xD5]) * 160, 8), "b1")
        for _ in range(1 if n == 10 else 2):
            data = await socket.recv()
            assert isinstance(data, bytes)
            assert data[0] == frames.AUDIO
            heard[data[1]].append(data[8:])
            if data[1] == 0:
                seqs.append(int.from_bytes(data[2:4]))
    assert seqs == list(range(seqs[0], seqs[0] + 49))
    assert abs(peak_hz(from_ulaw(b"".join(heard[0])), 8000)[0] - 440) < 15
    assert set(b"".join(heard[1])) <= {0xFF, 0x7F, 0xFE, 0x7E}, "A-law silence is mu-law silence"
    assert desk.states.last.transport == "websocket"
    await socket.close()
    await until(lambda: desk.states.last.state == "closed")
    assert desk.states.last.refused == "browser_closed"


async def test_the_microphone_goes_to_the_bridge_while_the_key_is_held(desk: Desk) -> None:
    socket = await desk.join()
    session = desk.states.last.session
    chunks = desk.calls.live["call-1"].bridge.chunks
    await socket.send(mic(0))
    await (await socket.ping())
    await asyncio.sleep(0.05)
    await desk.service.mode(ListenMode(principal(), session, "whisper"))
    for n in range(1, 26):
        await socket.send(mic(n))
    await until(lambda: len(chunks) == 25)
    assert [chunk.seq for chunk in chunks] == list(range(1, 26))
    assert chunks[0].timestamp == 160
    assert abs(peak_hz(from_ulaw(b"".join(c.payload for c in chunks)), 8000)[0] - 600) < 20
    await desk.service.close(ListenClose(principal(), session))
    with pytest.raises(ConnectionClosed):
        await socket.recv()


def mic(n: int) -> bytes:
    return bytes([frames.MIC, 0]) + n.to_bytes(2) + (160 * n).to_bytes(4) + tone(600, 160 * n)


@pytest.mark.parametrize("message", ['{"type":"ticket","ticket":"wrong"}', "[]", "{", '{"type":"x"}', b"\xff"])
async def test_a_wrong_ticket_closes_with_1008(desk: Desk, message: str | bytes) -> None:
    await desk.ticket()
    socket = await desk.dial()
    await socket.send(message)
    with pytest.raises(ConnectionClosed) as closed:
        await socket.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "bad_ticket")


async def test_a_ticket_works_once(desk: Desk) -> None:
    ticket = json.dumps({"type": "ticket", "ticket": await desk.ticket()})
    first, second = await desk.dial(), await desk.dial()
    await first.send(ticket)
    await first.recv()
    await second.send(ticket)
    with pytest.raises(ConnectionClosed):
        await second.recv()
    await first.close()


async def test_no_ticket_in_time_closes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICKET_S", 0.05)
    socket = await desk.dial()
    with pytest.raises(ConnectionClosed):
        await socket.recv()


async def test_a_foreign_page_is_refused_before_the_upgrade(desk: Desk) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await desk.dial(Origin("https://evil.example"))
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("bad", ["text", b"\x07", b"\x02" + bytes(2000)])
async def test_a_bad_frame_closes_with_1003(desk: Desk, bad: str | bytes) -> None:
    socket = await desk.join()
    await socket.send(bad)
    with pytest.raises(ConnectionClosed) as closed:
        await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003
    await until(lambda: desk.states.last.state == "closed")


async def test_a_slow_reader_loses_the_oldest(desk: Desk) -> None:
    socket = await desk.join()
    wire = Wire(1, 440)
    for n in range(200):
        desk.service.on_packet(wire.packet(n * 20_000), "b1")
    numbers = []
    for _ in range(25):
        data = await socket.recv()
        assert isinstance(data, bytes)
        numbers.append(int.from_bytes(data[2:4]))
    assert numbers == list(range(numbers[0], numbers[0] + 25))
    assert numbers[-1] == numbers[0] + 24 >= 199
    await socket.close()


async def test_a_session_moves_from_webrtc_to_the_fallback_and_back(calls: Calls, udp: UdpPort) -> None:
    states, audit = States(), MemoryAudit()
    service = ListenService(calls, audit, states, udp, fallback_url="ws://x/")
    server = await FallbackServer.start(service, "127.0.0.1", 0, [ORIGIN])
    first, second = RtcClient(), RtcClient()
    opened = await service.open(ListenOpen(principal(), "call-1", await first.offer(), ""))
    await first.accept(opened.sdp)
    assert await first.connected()
    await until(lambda: states.last.state == "connected")
    socket = await connect(f"ws://127.0.0.1:{server.port}/", origin=ORIGIN, subprotocols=[SUBPROTOCOL])
    await socket.send(json.dumps({"type": "ticket", "ticket": opened.fallback_ticket}))
    assert "ready" in str(await socket.recv())
    await until(lambda: states.last.transport == "websocket" and states.last.state == "connected")
    service.on_packet(Wire(1, 440).packet(0), "b1")
    assert (await socket.recv())[0] == frames.AUDIO
    await until(lambda: len(udp.mux) == 0)
    answer = await service.restart(ListenRestart(principal(), opened.session, await second.offer()))
    await second.accept(answer.sdp)
    assert await second.connected()
    await until(lambda: states.last.transport == "webrtc" and states.last.state == "connected")
    with pytest.raises(ConnectionClosed):
        await socket.recv()
    assert audit.kinds() == ["listen.start"]
    for client in (first, second):
        await client.close()
    await service.aclose()
    await server.close()


async def test_a_session_that_ended_takes_no_transport(desk: Desk) -> None:
    ticket = await desk.ticket()
    live = desk.service.claim(ticket)
    assert live is not None
    await desk.service.close(ListenClose(principal(), live.id))
    socket = await desk.dial()
    server_side = next(iter(desk.server._server.connections))
    desk.service.use(live, SocketTransport(server_side))
    with pytest.raises(ConnectionClosed):
        await socket.recv()
    assert live.transport is None
