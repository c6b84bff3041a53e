import json

from sip_bridge.link.outbox import Outbox


def drained(box: Outbox) -> list[object]:
    out: list[object] = []
    while (message := box.next()) is not None:
        out.append(json.loads(message) if isinstance(message, str) else message)
    return out


def test_events_go_before_the_tap_and_the_tap_before_a_replay() -> None:
    box = Outbox()
    box.replay([b"old1", b"old2"])
    box.tap(b"live", 0)
    box.tell({"t": "segment"})
    assert len(box) == 4
    assert drained(box) == [{"t": "segment"}, b"live", b"old1", b"old2"]
    assert len(box) == 0


def test_the_oldest_frames_give_way_and_the_loss_is_told() -> None:
    box = Outbox(max_live_bytes=100)
    for at in range(10):
        box.tap(bytes([at]) * 30, 1000 + at)
    assert box.dropped == 7
    assert [box.next() for _ in range(2)] == [bytes([at]) * 30 for at in (7, 8)]
    assert drained(box) == [{"t": "dropped", "frames": 7, "since_ns": 1003}, b"\x09" * 30]
    box.tap(b"x" * 200, 0)
    assert drained(box) == [b"x" * 200]


def test_lost_events_break_the_connection() -> None:
    box = Outbox(max_texts=2)
    for at in range(3):
        box.tell({"n": at})
    assert box.overrun
    assert drained(box) == [{"n": 0}, {"n": 1}]
