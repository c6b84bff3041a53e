from __future__ import annotations

from livemon.bus.outbox import Outbox


def test_frames_leave_in_order() -> None:
    box = Outbox()
    box.put(b"a", droppable=True)
    box.put(b"bb", droppable=False)
    assert (len(box), box.waiting) == (2, 3)
    assert [box.take(), box.take()] == [b"a", b"bb"]
    assert box.waiting == 0


def test_the_oldest_droppable_frames_make_room_and_are_counted() -> None:
    box = Outbox(limit=4)
    for frame in (b"11", b"22", b"33"):
        box.put(frame, droppable=True)
    assert box.dropped == 1
    assert [box.take(), box.take()] == [b"22", b"33"]
    assert not box.overrun


def test_an_answer_is_never_dropped_for_messages() -> None:
    box = Outbox(limit=4)
    box.put(b"aa", droppable=False)
    box.put(b"11", droppable=True)
    box.put(b"22", droppable=True)
    assert [box.take(), box.take()] == [b"aa", b"22"]
    assert box.dropped == 1


def test_too_many_answers_mean_that_the_connection_has_to_go() -> None:
    box = Outbox(limit=3)
    box.put(b"aa", droppable=False)
    box.put(b"bb", droppable=False)
    assert box.overrun
