from itertools import pairwise

import pytest

from tests.netem import Conditions, Netem

MS = 1_000_000


def carry(conditions: Conditions, count: int = 2000, seed: int = 1) -> tuple[Netem[int], list[tuple[int, int]]]:
    net: Netem[int] = Netem(conditions, seed)
    for index in range(count):
        net.send(index, index * 20 * MS)
    return net, net.arrived(count * 20 * MS + 1000 * MS)


def test_a_perfect_network_changes_nothing() -> None:
    _, got = carry(Conditions(delay_ms=5), 10)
    assert got == [(index * 20 * MS + 5 * MS, index) for index in range(10)]


def test_loss_is_about_as_asked_and_the_same_for_a_seed() -> None:
    net, got = carry(Conditions(loss=0.1))
    assert 150 < net.lost < 250
    assert got == carry(Conditions(loss=0.1))[1]
    assert got != carry(Conditions(loss=0.1), seed=2)[1]


def test_bursts_take_packets_in_a_row() -> None:
    net, got = carry(Conditions(burst=0.01, burst_length=5))
    gaps = {b - a - 1 for (_, a), (_, b) in pairwise(got)} - {0}
    assert net.lost > 0
    assert all(gap >= 5 for gap in gaps)


def test_jitter_keeps_the_order() -> None:
    _, got = carry(Conditions(jitter_ms=100))
    assert [item for _, item in got] == list(range(2000))
    assert {at % (20 * MS) for at, _ in got} != {0}


def test_reordered_packets_come_late() -> None:
    _, got = carry(Conditions(reorder=0.05))
    order = [item for _, item in got]
    assert sorted(order) == list(range(2000))
    assert order != sorted(order)


def test_duplicates_come_twice() -> None:
    _, got = carry(Conditions(duplicate=0.05))
    assert 2050 < len(got) < 2200


def test_an_outage_takes_everything() -> None:
    net, got = carry(Conditions(outages=((100, 200),)), 20)
    assert [item for _, item in got] == [0, 1, 2, 3, 4, *range(10, 20)]
    assert net.next_arrival() is None


def test_the_next_arrival_is_known() -> None:
    net: Netem[str] = Netem(Conditions(delay_ms=7), 1)
    net.send("x", 0)
    assert net.next_arrival() == 7 * MS
    assert net.arrived(6 * MS) == []


@pytest.mark.parametrize("loss", [0.0, 1.0])
def test_the_ends_of_the_scale(loss: float) -> None:
    net, got = carry(Conditions(loss=loss), 50)
    assert net.lost + len(got) == 50
    assert net.lost == 50 * loss
