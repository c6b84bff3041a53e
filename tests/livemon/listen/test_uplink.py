"""The order of the microphone's packets."""

from __future__ import annotations

import random

from livemon.listen.uplink import HOLD_S, Piece, Reorder


def piece(seq: int) -> Piece:
    return Piece(seq & 0xFFFF, seq * 160, "PCMU", b"")


def feed(order: Reorder, *seqs: int, now: float = 0.0) -> list[int]:
    return [out.seq for seq in seqs for out in order.feed(piece(seq), now)]


def test_packets_in_order_pass_at_once() -> None:
    assert feed(Reorder(), 65534, 65535, 65536, 65537) == [65534, 65535, 0, 1]


def test_neighbours_that_overtook_each_other_are_put_right() -> None:
    order = Reorder()
    assert feed(order, 1, 3) == [1]
    assert order.holding
    assert feed(order, 2) == [2, 3]
    assert not order.holding
    assert feed(order, 4) == [4]


def test_a_lost_packet_holds_the_next_for_one_ptime_only() -> None:
    order = Reorder()
    feed(order, 1, 3)
    assert order.due(HOLD_S - 0.001) == []
    assert [out.seq for out in order.due(HOLD_S)] == [3]
    assert feed(order, 4) == [4]
    assert feed(order, 2) == []
    assert order.late == 1


def test_the_packet_after_a_hole_releases_the_held_one() -> None:
    order = Reorder()
    assert feed(order, 1, 3, 4) == [1, 3, 4]
    assert not order.holding


def test_a_repeated_packet_is_dropped() -> None:
    order = Reorder()
    assert feed(order, 1, 1, 3, 3, 2) == [1, 2, 3]
    assert order.late == 2


def test_a_long_hole_waits_for_nothing() -> None:
    order = Reorder()
    assert feed(order, 1, 5, 6) == [1, 5, 6]


def test_the_held_packet_goes_out_with_the_next_feed_when_its_time_is_up() -> None:
    order = Reorder()
    feed(order, 1, 3)
    assert [out.seq for out in order.feed(piece(4), 1.0)] == [3, 4]


def test_after_a_reset_any_packet_begins() -> None:
    order = Reorder()
    feed(order, 100, 102)
    order.reset()
    assert feed(order, 7) == [7]


def test_whatever_comes_goes_out_in_order_and_once() -> None:
    rng = random.Random(4)
    order = Reorder()
    out: list[int] = []
    for n in range(0, 3000, 2):
        pair = [n, n + 1]
        rng.shuffle(pair)
        out += feed(order, *[seq for seq in pair if rng.random() > 0.05], now=n * 0.02)
    assert out == sorted(set(out))
    assert len(out) > 2500
