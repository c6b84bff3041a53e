"""The 20 ms clock of the third slot."""

from __future__ import annotations

import asyncio
from typing import Final

from livemon.listen.live import OTHERS, LiveSession
from livemon.listen.others import OthersClock
from livemon.listen.session import Event
from sip_bridge.link.wire import TapPacket
from tests.listening import FakeCall, principal


class Ear:
    kind: Final = "webrtc"
    connected = True

    def __init__(self) -> None:
        self.got: list[TapPacket] = []
        self.cuts: list[int] = []

    def forward(self, slot: int, packet: TapPacket, codec: str) -> bool:
        assert slot == OTHERS
        self.got.append(packet)
        return True

    def cut(self, slot: int) -> None:
        self.cuts.append(slot)

    def send_reports(self) -> None:
        """Nothing to report."""

    async def close(self) -> None:
        """Nothing to close."""


def heard(call: str = "call-1", connected: bool = True) -> tuple[LiveSession, Ear]:
    live, ear = LiveSession(principal(), FakeCall(call), "", "", 0.0), Ear()
    if connected:
        live.transport = ear
        live.core.happen(Event.TRANSPORT_UP, 0.0)
    return live, ear


async def test_the_coach_is_heard_by_the_others_on_the_call_only() -> None:
    (speaker, own), (listener, ear), (stranger, other) = heard(), heard(), heard("call-2")
    waiting, silent = heard(connected=False)
    sessions = [speaker, listener, stranger, waiting]
    clock = OthersClock(lambda: sessions)
    for live in sessions:
        live.on_mixing = clock.start
    for _ in range(3):
        clock.spoken(speaker, bytes(160))
    clock.start()
    async with asyncio.timeout(2):
        while len(ear.got) < 3:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert [len(packet.payload) for packet in ear.got] == [160, 160, 160]
    assert [b.arrival_us - a.arrival_us for a, b in zip(ear.got, ear.got[1:], strict=False)] == [20_000, 20_000]
    assert (own.got, other.got, silent.got) == ([], [], [])
    assert ear.cuts == [OTHERS]


async def test_a_new_beginning_cuts_again_and_stop_stops() -> None:
    (speaker, _), (listener, ear) = heard(), heard()
    clock = OthersClock(lambda: [speaker, listener])
    clock.stop()
    listener.on_mixing = clock.start
    clock.spoken(speaker, bytes(160))
    await asyncio.sleep(0.08)
    clock.spoken(speaker, bytes(160))
    clock.stop()
    await asyncio.sleep(0.05)
    assert len(ear.got) == 1
    assert ear.cuts == [OTHERS, OTHERS]
