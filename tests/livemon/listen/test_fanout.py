"""Who hears which leg, and what the bridge is told."""

from __future__ import annotations

from livemon.listen.fanout import Fanout
from sip_bridge.link.wire import TapPacket, TapRow
from tests.listening import FakeBridge, Wire, row


def test_the_bridge_is_told_of_the_first_and_the_last() -> None:
    fanout, bridge = Fanout(), FakeBridge()
    heard: list[TapPacket] = []
    also: list[TapPacket] = []
    one, two = heard.append, also.append
    fanout.add("b1", bridge, 1, one)
    fanout.add("b1", bridge, 1, two)
    packet = Wire(1, 440).packet(0)
    fanout.on_packet(packet, "b1")
    fanout.on_packet(packet, "b2")
    fanout.on_packet(Wire(2, 440).packet(0), "b1")
    assert (heard, also) == ([packet], [packet])
    fanout.remove("b1", bridge, 1, one)
    assert fanout.legs("b1") == (1,)
    fanout.remove("b1", bridge, 1, two)
    fanout.remove("b1", bridge, 1, two)
    fanout.remove("b9", bridge, 1, two)
    assert fanout.legs("b1") == ()
    assert bridge.log == [("listen", (1,), True), ("listen", (1,), False)]


def test_rows_go_to_those_who_watch() -> None:
    fanout = Fanout()
    seen: list[tuple[TapRow, float]] = []
    others: list[TapRow] = []

    def one(taken: TapRow, now: float) -> None:
        seen.append((taken, now))

    def two(taken: TapRow, now: float) -> None:
        others.append(taken)

    fanout.watch("b1", 1, one)
    fanout.watch("b1", 1, two)
    made = row(1, 5, -100)
    fanout.on_row(made, "b1", 2.0)
    fanout.on_row(made, "b2", 2.0)
    fanout.unwatch(one)
    fanout.on_row(made, "b1", 3.0)
    fanout.unwatch(two)
    fanout.on_row(made, "b1", 4.0)
    assert seen == [(made, 2.0)]
    assert others == [made, made]
