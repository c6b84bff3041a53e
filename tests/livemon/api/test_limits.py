from __future__ import annotations

from livemon.api.limits import Attempts


def test_so_many_and_no_more_until_the_oldest_is_forgotten() -> None:
    attempts = Attempts(3, 1000)
    for now in (0, 100, 200):
        assert attempts.wait_ms("a", now) == 0
        attempts.note("a", now)
    assert attempts.wait_ms("a", 300) == 700
    assert attempts.wait_ms("b", 300) == 0
    assert attempts.wait_ms("a", 1000) == 0
    attempts.note("a", 1000)
    assert attempts.wait_ms("a", 1000) == 100


def test_success_forgives() -> None:
    attempts = Attempts(1, 1000)
    attempts.note("a", 0)
    attempts.forget("a")
    attempts.forget("never")
    assert attempts.wait_ms("a", 1) == 0


def test_memory_is_bounded_and_the_longest_unused_goes_first() -> None:
    attempts = Attempts(1, 1000, capacity=2)
    for key in ("a", "b", "a", "c"):
        attempts.note(key, 0)
    assert len(attempts) == 2
    assert [bool(attempts.wait_ms(key, 1)) for key in "abc"] == [True, False, True]
