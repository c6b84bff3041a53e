from sip_bridge.link import wire
from sip_bridge.link.replay import ReplayRing
from sip_bridge.link.wire import WhisperChunk


def frame(tick: int, epoch: int = 1) -> bytes:
    return wire.head(wire.PACKETS, 0, epoch, tick, tick - 1)


def test_a_node_is_sent_what_it_has_not_seen() -> None:
    ring = ReplayRing()
    assert (ring.oldest_tick, ring.newest_tick) == (0, 0)
    for tick in range(1, 6):
        assert ring.add(frame(tick), 0.0)
    assert ring.after(3) == [frame(4), frame(5)]
    assert ring.after(0) == [frame(tick) for tick in range(1, 6)]
    assert ring.after(9) == ring.after(None) == []
    assert (ring.oldest_tick, ring.newest_tick, len(ring)) == (1, 5, 5)


def test_six_seconds_are_kept() -> None:
    ring = ReplayRing()
    for tick in range(1, 11):
        ring.add(frame(tick), float(tick))
    assert (ring.oldest_tick, ring.newest_tick) == (4, 10)


def test_the_bytes_are_bounded() -> None:
    ring = ReplayRing(max_bytes=100)
    for tick in range(1, 11):
        ring.add(frame(tick), 0.0)
    assert ring.bytes == 24 * 4
    assert ring.oldest_tick == 7


def test_a_restarted_media_process_begins_anew() -> None:
    ring = ReplayRing()
    ring.add(frame(900, epoch=1), 0.0)
    ring.add(frame(1, epoch=2), 0.1)
    assert ring.after(0) == [frame(1, epoch=2)]


def test_what_is_no_tap_frame_is_not_kept() -> None:
    ring = ReplayRing()
    assert not ring.add(wire.whisper_frame(WhisperChunk(1, 1, 1, b"")), 0.0)
    assert not ring.add(b"", 0.0)
    assert len(ring) == 0
