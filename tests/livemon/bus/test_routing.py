from __future__ import annotations

import pytest

from livemon.bus import routing
from livemon.bus.frames import Answer, Ask, Call, Deliver, Failure, Frame, Publish, Serve, Subscribe, Unsubscribe
from livemon.bus.routing import RoutingTable


def table(*clients: int) -> RoutingTable:
    made = RoutingTable()
    for client in clients:
        made.join(client)
    return made


def play(made: RoutingTable, client: int, frame: Frame, now: float = 0.0) -> list[tuple[int, Frame]]:
    made.feed(client, frame, now)
    return made.drain()


def test_a_message_reaches_each_client_once_with_all_its_subscriptions() -> None:
    made = table(1, 2, 3)
    play(made, 1, Subscribe(10, "calls."))
    play(made, 1, Subscribe(11, "calls.a"))
    play(made, 2, Subscribe(10, "node."))
    assert play(made, 3, Publish("calls.a", b"x", False)) == [(1, Deliver((10, 11), "calls.a", b"x"))]


def test_an_ended_subscription_gets_nothing() -> None:
    made = table(1)
    play(made, 1, Subscribe(10, ""))
    play(made, 1, Unsubscribe(10))
    play(made, 1, Unsubscribe(99))
    assert play(made, 1, Publish("a", b"", False)) == []


def test_the_newest_retained_message_waits_for_later_subscribers() -> None:
    made = table(1)
    play(made, 1, Publish("directory", b"1", True))
    play(made, 1, Publish("directory", b"2", True))
    play(made, 1, Publish("directory", b"3", False))
    assert play(made, 1, Subscribe(1, "dir")) == [(1, Deliver((1,), "directory", b"2"))]
    assert play(made, 1, Subscribe(2, "other")) == []


def test_retained_topics_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "MAX_RETAINED", 1)
    made = table(1)
    play(made, 1, Publish("a", b"1", True))
    play(made, 1, Publish("b", b"1", True))
    play(made, 1, Publish("a", b"2", True))
    assert play(made, 1, Subscribe(1, "")) == [(1, Deliver((1,), "a", b"2"))]


def test_a_request_goes_to_the_newest_server_and_its_answer_back() -> None:
    made = table(1, 2, 3)
    play(made, 2, Serve("node.a"))
    play(made, 3, Serve("node.a"))
    assert play(made, 1, Ask(7, "node.a", "m", b"q", 1.0)) == [(3, Call(1, "node.a", "m", b"q"))]
    assert play(made, 3, Answer(1, b"a")) == [(1, Answer(7, b"a"))]
    assert made.pending == 0


def test_a_failure_travels_back_under_the_askers_number() -> None:
    made = table(1, 2)
    play(made, 2, Serve("t"))
    play(made, 1, Ask(7, "t", "m", b"", 1.0))
    assert play(made, 2, Failure(1, "no", "text")) == [(1, Failure(7, "no", "text"))]


def test_nobody_serves_the_target() -> None:
    ((client, frame),) = play(table(1), 1, Ask(7, "t", "m", b"", 1.0))
    assert client == 1
    assert isinstance(frame, Failure)
    assert (frame.id, frame.error) == (7, "no_such_target")


def test_a_late_answer_or_one_by_a_stranger_is_ignored() -> None:
    made = table(1, 2, 3)
    play(made, 2, Serve("t"))
    play(made, 1, Ask(7, "t", "m", b"", 1.0))
    assert play(made, 3, Answer(1, b"forged")) == []
    assert play(made, 2, Answer(99, b"")) == []
    assert made.pending == 1


def test_time_runs_out() -> None:
    made = table(1, 2)
    play(made, 2, Serve("t"))
    assert made.deadline() is None
    play(made, 1, Ask(7, "t", "m", b"", 2.0), now=10.0)
    assert made.deadline() == 12.0
    made.expire(11.9)
    assert made.drain() == []
    made.expire(12.0)
    assert made.drain() == [(1, Failure(7, "timeout", "no answer in time"))]


def test_the_end_of_a_server_fails_what_it_was_asked() -> None:
    made = table(1, 2, 3)
    play(made, 2, Serve("t"))
    play(made, 3, Serve("u"))
    play(made, 1, Ask(7, "t", "m", b"", 1.0))
    play(made, 1, Ask(8, "u", "m", b"", 1.0))
    made.leave(2)
    ((client, frame),) = made.drain()
    assert client == 1
    assert isinstance(frame, Failure)
    assert (frame.id, frame.error) == (7, "target_gone")
    ((_, frame),) = play(made, 1, Ask(9, "t", "m", b"", 1.0))
    assert isinstance(frame, Failure)
    assert frame.error == "no_such_target"


def test_the_end_of_an_asker_forgets_its_requests() -> None:
    made = table(1, 2)
    play(made, 2, Serve("t"))
    play(made, 1, Ask(7, "t", "m", b"", 1.0))
    made.leave(1)
    made.leave(1)
    assert (made.drain(), made.pending) == ([], 0)


def test_requests_in_flight_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "MAX_PENDING", 1)
    made = table(1, 2)
    play(made, 2, Serve("t"))
    play(made, 1, Ask(7, "t", "m", b"", 1.0))
    assert play(made, 1, Ask(8, "t", "m", b"", 1.0)) == [(1, Failure(8, "busy", "too many requests wait"))]


def test_frames_of_the_other_direction_are_ignored() -> None:
    assert play(table(1), 1, Call(1, "t", "m", b"")) == []
