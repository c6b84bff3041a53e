from array import array

from sip_bridge.media.ring import MOST, ROUNDS, SampleRing


def chunk(first: int, samples: int = 160) -> bytes:
    return array("h", range(first, first + samples)).tobytes()


def values(linear: bytes) -> list[int]:
    return list(array("h", linear))


def test_samples_come_out_in_order_and_only_once() -> None:
    ring = SampleRing()
    ring.put(chunk(0))
    assert values(ring.take(100)) == list(range(100))
    assert values(ring.take(100)) == list(range(100, 160))
    assert ring.take(100) == b""


def test_no_more_than_60_ms_wait_and_the_oldest_go() -> None:
    ring = SampleRing()
    for index in range(5):
        ring.put(chunk(160 * index))
    assert len(ring) == MOST == 480
    assert ring.overrun == 320
    assert values(ring.take(1)) == [320]


def test_a_long_chunk_is_kept_whole() -> None:
    ring = SampleRing()
    ring.put(chunk(0))
    ring.put(chunk(1000, 960))
    assert len(ring) == 960
    assert values(ring.take(1)) == [1000]


def test_the_lag_of_a_stall_is_gone_within_a_second() -> None:
    ring = SampleRing()
    for index in range(3):
        ring.put(chunk(160 * index))
    waiting = []
    for _ in range(50):
        ring.take(160)
        waiting.append(len(ring))
        ring.put(chunk(0))
    assert waiting[0] == 320
    assert waiting[-1] == 0
    assert ring.overrun == 320


def test_a_surplus_that_jitter_needs_is_not_cut() -> None:
    ring = SampleRing()
    ring.put(chunk(0))
    for index in range(4 * ROUNDS):
        # Two chunks every other packet: after each pair of takes the queue has been as low as 0.
        if index % 2 == 0:
            ring.put(chunk(0))
            ring.put(chunk(0))
        assert len(ring.take(160)) == 320
        if index % 2:
            ring.take(len(ring))
            ring.put(chunk(0))
    assert ring.overrun == 0


def test_clear_forgets_everything() -> None:
    ring = SampleRing()
    ring.put(chunk(0))
    ring.clear()
    assert ring.take(160) == b""
