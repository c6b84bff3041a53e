from __future__ import annotations

from livemon.tap.offset import WINDOW_US, ClockOffset


def test_the_least_delayed_frame_tells_the_offset() -> None:
    clock = ClockOffset(bridge_us=1000, local_us=501_500)
    assert clock.bridge_us(501_500) == 1000
    clock.feed(2000, 502_100)
    clock.feed(3000, 509_000)
    assert clock.bridge_us(510_000) == 9900


def test_an_old_minimum_is_forgotten_after_two_windows() -> None:
    clock = ClockOffset(0, 100)
    clock.feed(WINDOW_US, WINDOW_US + 150)
    assert clock.bridge_us(1000) == 900
    clock.feed(2 * WINDOW_US, 2 * WINDOW_US + 160)
    assert clock.bridge_us(1000) == 850
