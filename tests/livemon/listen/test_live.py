"""A session joined to legs and a transport, without sockets."""

from __future__ import annotations

import asyncio
from typing import Final

import numpy as np

from livemon.listen.fanout import Fanout
from livemon.listen.live import AGENT, CUSTOMER, OTHERS, LiveSession
from livemon.listen.ports import LegMedia
from livemon.listen.session import Event
from livemon.listen.uplink import Piece
from sip_bridge.link.wire import TapPacket
from tests.listening import FLAG_COMFORT_NOISE, FakeCall, Wire, from_ulaw, peak_hz, principal, row, tone


class Ear:
    kind: Final = "webrtc"
    connected = True

    def __init__(self) -> None:
        self.got: list[tuple[int, str, TapPacket]] = []
        self.cuts: list[int] = []

    def forward(self, slot: int, packet: TapPacket, codec: str) -> bool:
        self.got.append((slot, codec, packet))
        return True

    def cut(self, slot: int) -> None:
        self.cuts.append(slot)

    def send_reports(self) -> None:
        """Nothing to report."""

    async def close(self) -> None:
        """Nothing to close."""


def session(call: FakeCall, connected: bool = True) -> tuple[LiveSession, Ear, Fanout]:
    live, ear, fanout = LiveSession(principal(), call, "192.0.2.7", "", 0.0), Ear(), Fanout()
    live.transport = ear
    if connected:
        live.core.happen(Event.TRANSPORT_UP, 0.0)
    live.attach(call, fanout)
    return live, ear, fanout


async def test_each_leg_has_its_slot_and_codec() -> None:
    call = FakeCall(customer_leg=LegMedia(2, "customer", "opus", {96: "G722"}))
    live, ear, fanout = session(call)
    fanout.on_packet(Wire(1, 440).packet(0), "b1")
    for payload_type in (96, 97, 8):
        fanout.on_packet(Wire(2, 440).packet(0, payload_type=payload_type), "b1")
    assert [(slot, codec) for slot, codec, _ in ear.got] == [
        (AGENT, "PCMU"),
        (CUSTOMER, "G722"),
        (CUSTOMER, "OPUS"),
        (CUSTOMER, "PCMA"),
    ]
    assert live.take_forwarded()
    assert not live.take_forwarded()


async def test_nothing_passes_before_the_connection_and_without_a_transport() -> None:
    live, ear, fanout = session(FakeCall(other_legs=(LegMedia(3, "third"),)), connected=False)
    for leg in (1, 2, 3):
        fanout.on_packet(Wire(leg, 440).packet(0), "b1")
    live.transport = None
    live.core.happen(Event.TRANSPORT_UP, 0.0)
    fanout.on_packet(Wire(1, 440).packet(0), "b1")
    live.mix("x", bytes(160))
    assert not live.send_mix(0)
    assert ear.got == []
    live.detach(fanout)


async def test_a_third_party_is_mixed_into_the_third_slot() -> None:
    live, ear, fanout = session(FakeCall(other_legs=(LegMedia(3, "third"), LegMedia(4, "machine"))))
    started: list[bool] = []
    live.on_mixing = lambda: started.append(True)
    wire = Wire(3, 1000)
    fanout.on_packet(wire.packet(0, flags=FLAG_COMFORT_NOISE), "b1")
    for n in range(50):
        fanout.on_packet(wire.packet(0), "b1")
        fanout.on_packet(Wire(4, 1).packet(0, payload=b"", payload_type=8), "b1")
        assert not live.send_mix(n * 20_000)
    heard = np.concatenate([from_ulaw(packet.payload) for slot, _, packet in ear.got if slot == OTHERS])
    assert abs(peak_hz(heard, 8000)[0] - 1000) < 10
    assert len(started) == 50
    assert [packet.seq for _, _, packet in ear.got] == list(range(1, 51))


async def test_detaching_ends_everything_and_tells_the_bridge() -> None:
    call = FakeCall()
    live, ear, fanout = session(call)
    live.detach(fanout)
    fanout.on_packet(Wire(1, 440).packet(0), "b1")
    fanout.on_row(row(1, 5, 0), "b1", 0.0)
    assert ear.got == []
    assert ear.cuts[-3:] == [AGENT, CUSTOMER, OTHERS]
    assert fanout.legs("b1") == ()


async def test_a_call_without_an_agent_leg_is_heard_all_the_same() -> None:
    _, ear, fanout = session(FakeCall(agent_leg=None))
    fanout.on_packet(Wire(2, 440).packet(0), "b1")
    assert len(ear.got) == 1


async def test_the_microphone_passes_only_while_speaking() -> None:
    call = FakeCall()
    live, _, _ = session(call)
    live.on_mic(Piece(1, 160, "PCMU", tone(600, 0)))
    assert live.mic_dropped == 1
    live.core.speak("whisper", None, 0.0)
    spoken: list[bytes] = []
    live.on_spoken = lambda speaker, samples: spoken.append(samples)
    live.on_mic(Piece(2, 320, "PCMU", tone(600, 160)))
    live.on_mic(Piece(3, 480, "PCMA", bytes(160)))
    live.on_mic(Piece(4, 48000, "OPUS", b"\xff\xff\xff"))
    assert [(c.seq, c.timestamp, len(c.payload)) for c in call.bridge.chunks] == [(2, 320, 160), (3, 480, 160)]
    assert {chunk.session for chunk in call.bridge.chunks} == {live.grant_id}
    assert len(spoken) == 2


async def test_a_held_packet_follows_after_one_ptime() -> None:
    call = FakeCall()
    live, _, _ = session(call)
    live.core.speak("whisper", None, 0.0)
    live.on_mic(Piece(1, 0, "PCMU", bytes(160)))
    live.on_mic(Piece(3, 320, "PCMU", bytes(160)))
    assert len(call.bridge.chunks) == 1
    await asyncio.sleep(0.05)
    assert [chunk.seq for chunk in call.bridge.chunks] == [1, 3]
    live.on_mic(Piece(5, 640, "PCMU", bytes(160)))
    live.core.speak("listen", None, 0.0)
    await asyncio.sleep(0.05)
    assert len(call.bridge.chunks) == 2, "the key was let go meanwhile"


async def test_another_segment_gets_another_grant() -> None:
    call = FakeCall()
    live, _, fanout = session(call)
    first = live.grant_id
    live.attach(FakeCall(), fanout)
    assert live.grant_id == first
    live.attach(FakeCall(segment="seg-9"), fanout)
    assert live.grant_id != first


async def test_the_state_tells_what_pages_need() -> None:
    live, _, _ = session(FakeCall())
    live.core.happen(Event.CALL_ENDED, 1.0)
    state = live.state(1.0, 1234)
    assert (state.state, state.refused, state.transport, state.now_ms) == ("connected", "call_ended", "webrtc", 1234)
    live.transport = None
    assert live.state(1.0, 0).transport == "webrtc"
