from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livemon.tap import intake
from livemon.tap.intake import REPLAY_WAIT_US, Heard, Measured, Position, TapIntake, TapLost
from sip_bridge.link.wire import TapFrame, TapPacket


def frame(tick: int, previous: int | None = None, epoch: int = 1, packets: bool = True) -> TapFrame:
    """A frame whose packet arrived at tick * 20 ms."""
    packet = TapPacket(7, tick & 0xFFFF, 0, False, 0, tick * 160, tick * 20_000, b"\xff" * 160)
    return TapFrame(epoch, tick, tick - 1 if previous is None else previous, (packet,) if packets else ())


def play(made: TapIntake, *frames: TapFrame, now_us: int = 0) -> list[str]:
    """Feed frames; return what came out in short: h3 heard, m3 measured, lost(from,to) in ms."""
    for item in frames:
        made.feed(item, now_us or item.tick * 20_000 + 5000)
    return short(made)


def short(made: TapIntake) -> list[str]:
    out = []
    for item in made.drain():
        match item:
            case Heard(got):
                out.append(f"h{got.tick}")
            case Measured(got):
                out.append(f"m{got.tick}")
            case TapLost(start, end):
                out.append(f"lost({start // 1000},{end // 1000})")
    return out


def test_frames_in_order_are_heard_first_and_measured() -> None:
    assert play(TapIntake(), frame(1), frame(2)) == ["h1", "m1", "h2", "m2"]


def test_a_hole_is_tap_lost() -> None:
    made = TapIntake()
    play(made, frame(1))
    assert play(made, frame(5)) == ["h5", "lost(20,100)", "m5"]
    assert made.holes == 1


def test_ticks_may_jump_when_previous_says_so() -> None:
    made = TapIntake()
    play(made, frame(1))
    assert play(made, frame(9, previous=1)) == ["h9", "m9"]


def test_a_frame_taken_in_already_is_counted_and_dropped() -> None:
    made = TapIntake()
    play(made, frame(1), frame(2))
    assert play(made, frame(2), frame(1)) == []
    assert made.duplicates == 2


def test_a_replay_behind_live_traffic_comes_out_in_order() -> None:
    made = TapIntake()
    play(made, frame(1), frame(2))
    assert made.attached(newest_tick=5, now_us=110_000) == Position(1, 2, 40_000)
    assert made.replaying
    assert play(made, frame(6), frame(3), frame(7), frame(4)) == ["h6", "m3", "h7", "m4"]
    assert play(made, frame(5), frame(8)) == ["m5", "m6", "m7", "h8", "m8"]
    assert (made.replaying, made.holes, made.duplicates) == (False, 0, 0)


def test_what_the_bridge_no_longer_has_is_a_hole_before_the_replay() -> None:
    made = TapIntake()
    play(made, frame(1))
    made.attached(newest_tick=12, now_us=250_000)
    assert play(made, frame(10), frame(13), frame(11), frame(12)) == ["lost(20,200)", "m10", "h13", "m11", "m12", "m13"]


def test_a_replay_that_never_comes_is_given_up() -> None:
    made = TapIntake()
    play(made, frame(1))
    made.attached(newest_tick=5, now_us=110_000)
    assert play(made, frame(6), frame(6)) == ["h6"]
    made.tick(110_000 + REPLAY_WAIT_US - 1)
    assert short(made) == []
    made.tick(110_000 + REPLAY_WAIT_US)
    assert short(made) == ["lost(20,120)", "m6"]
    assert not made.replaying
    made.tick(9_000_000)


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_HELD", 2)
    made = TapIntake()
    play(made, frame(1))
    made.attached(newest_tick=3, now_us=80_000)
    assert play(made, frame(4), frame(5), frame(6)) == ["h4", "h5", "h6", "lost(20,80)", "m4", "m5", "m6"]


def test_a_second_loss_of_the_link_within_a_replay_keeps_what_came() -> None:
    made = TapIntake()
    play(made, frame(1))
    made.attached(newest_tick=3, now_us=80_000)
    play(made, frame(4))
    resume = made.attached(newest_tick=6, now_us=140_000)
    assert short(made) == ["lost(20,80)", "m4"]
    assert resume == Position(1, 4, 80_000)
    assert play(made, frame(7), frame(4), frame(5), frame(6)) == ["h7", "m5", "m6", "m7"]


def test_nothing_new_at_the_bridge_needs_no_replay() -> None:
    made = TapIntake()
    assert made.attached(newest_tick=5, now_us=0) is None
    play(made, frame(6))
    made.attached(newest_tick=6, now_us=0)
    assert not made.replaying
    assert play(made, frame(7)) == ["h7", "m7"]


def test_a_restarted_media_process_begins_a_new_epoch() -> None:
    made = TapIntake()
    play(made, frame(100))
    assert play(made, frame(1, previous=0, epoch=2), now_us=2_500_000) == ["h1", "m1"]
    late = TapFrame(3, 1, 0, (TapPacket(7, 0, 0, False, 0, 0, 3_000_000, b""),))
    assert play(made, late, now_us=3_100_000) == ["h1", "lost(2000,3000)", "m1"]


def test_a_new_epoch_within_a_replay_releases_what_waits() -> None:
    made = TapIntake()
    play(made, frame(1))
    made.attached(newest_tick=3, now_us=80_000)
    play(made, frame(4))
    assert play(made, frame(1, previous=0, epoch=2, packets=False), now_us=100_000) == [
        "h1",
        "lost(20,80)",
        "m4",
        "lost(80,100)",
        "m1",
    ]


def test_rows_without_packets_carry_time_on_only_when_live() -> None:
    made = TapIntake()
    play(made, frame(1))
    play(made, frame(2, packets=False), now_us=45_000)
    assert made.position == Position(1, 2, 45_000)
    made.attached(newest_tick=4, now_us=90_000)
    play(made, frame(3, packets=False), now_us=95_000)
    assert made.position == Position(1, 3, 45_000)


@settings(max_examples=200)
@given(st.integers(0, 60), st.integers(0, 20), st.integers(0, 10_000))
def test_any_interleaving_of_replay_and_live_is_measured_once_and_in_order(lost: int, live: int, seed: int) -> None:
    made = TapIntake()
    play(made, frame(1))
    newest = 1 + lost
    made.attached(newest, now_us=newest * 20_000)
    replay = [frame(tick) for tick in range(2, newest + 1)]
    fresh = [frame(tick) for tick in range(newest + 1, newest + 1 + live)]
    rng = random.Random(seed)
    order: list[TapFrame] = []
    while replay or fresh:
        order.append((replay if replay and (not fresh or rng.random() < 0.5) else fresh).pop(0))
    out = play(made, *order)
    assert [item for item in out if item[0] == "m"] == [f"m{tick}" for tick in range(2, newest + live + 1)]
    assert [item for item in out if item[0] == "h"] == [f"h{tick}" for tick in range(newest + 1, newest + live + 1)]
    assert made.holes == 0
