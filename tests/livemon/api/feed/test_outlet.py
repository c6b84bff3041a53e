from __future__ import annotations

import msgspec
import pytest

from livemon.api.feed.outlet import HARD_LIMIT, MAX_DIRECT, SOFT_LIMIT, Outlet


@pytest.fixture
def outlet() -> Outlet:
    outlet = Outlet()
    outlet.snapshot(b"{}", 5, b'"calls":[]')
    outlet.take()
    return outlet


def test_the_first_frame_is_a_snapshot_and_deltas_count_on() -> None:
    outlet = Outlet()
    assert outlet.wants_snapshot and outlet.take() is None
    outlet.delta(1, b'"gone":[]')
    assert outlet.take() is None
    outlet.snapshot(b'{"user":"u"}', 5, b'"calls":[]')
    outlet.delta(6, b'"gone":["c"]')
    first, second = outlet.take(), outlet.take()
    assert first is not None and second is not None
    assert msgspec.json.decode(first) == {"type": "snapshot", "n": 1, "now_ms": 5, "me": {"user": "u"}, "calls": []}
    assert msgspec.json.decode(second) == {"type": "delta", "n": 2, "now_ms": 6, "gone": ["c"]}


def test_a_slow_page_falls_back_to_one_snapshot(outlet: Outlet) -> None:
    body = b'"x":"' + b"a" * 10_000 + b'"'
    for _ in range(SOFT_LIMIT // 10_000 + 1):
        outlet.delta(1, body)
    assert outlet.behind and outlet.wants_snapshot and not outlet.cut
    assert outlet.take() is None
    outlet.snapshot(b"{}", 9, b'"calls":[]')
    outlet.delta(10, b'"gone":[]')
    numbers = [msgspec.json.decode(outlet.take() or b"")["n"] for _ in range(2)]
    assert numbers[1] == numbers[0] + 1


def test_a_page_that_misses_a_megabyte_is_cut(outlet: Outlet) -> None:
    body = b"a" * 50_000
    outlet.resync()
    for _ in range(HARD_LIMIT // len(body)):
        outlet.delta(1, body)
        assert not outlet.cut
    outlet.delta(1, body)
    assert outlet.cut


def test_a_snapshot_that_was_read_forgives_what_was_missed(outlet: Outlet) -> None:
    outlet.resync()
    outlet.delta(1, b"a" * (HARD_LIMIT - 1))
    outlet.snapshot(b"{}", 1, b"")
    outlet.resync()
    outlet.delta(1, b"a")
    assert not outlet.cut


def test_one_frame_larger_than_the_limit_is_sent_all_the_same(outlet: Outlet) -> None:
    outlet.delta(1, b"a" * (SOFT_LIMIT + 1))
    assert not outlet.behind and outlet.take() is not None


def test_small_answers_overtake_and_are_bounded(outlet: Outlet) -> None:
    outlet.delta(1, b'"gone":[]')
    for number in range(MAX_DIRECT + 5):
        outlet.direct(b"%d" % number)
    assert outlet.take() == b"5"
