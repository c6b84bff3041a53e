from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livemon.talk import codec
from livemon.talk.bank import rounds
from livemon.talk.placement import DELAY_US, SLOT, Batch, Placement
from sip_bridge.link.wire import TapPacket
from tests.speechlike import network, packets

START = 1_000_000
STEP = 20_000
KINDS = {0: codec.PCMU, 8: codec.PCMA, 13: codec.COMFORT_NOISE, 96: codec.L16, 101: codec.EVENT, 111: codec.OTHER}


class Reader:
    """Feeds one leg's packets in time and collects the slots that come out."""

    def __init__(self, rows: int = 1) -> None:
        self.placement = Placement(rows)
        self.slots: list[bytes | None] = []
        self.starts: list[int] = []
        self.gaps: list[tuple[float, float | None, bool]] = []
        self.now = START

    def play(self, stream: list[TapPacket], until: float) -> Reader:
        at = 0
        while self.now < START + until * 1e6:
            self.now += STEP
            self.placement.clock.step(self.now, STEP)
            first = at
            while at < len(stream) and stream[at].arrival_us <= self.now:
                at += 1
            for a, b in rounds([0] * (at - first)):
                part = stream[first + a : first + b]
                kinds = np.array([KINDS[p.payload_type] for p in part])
                self.placement.write(Batch(np.zeros(len(part), np.int64), kinds, part))
            while len(rows := self.placement.due(self.now)):
                frames, present, starts = self.placement.read(rows)
                self.slots.append(frames[0].tobytes() if present[0] else None)
                self.starts.append(int(starts[0]))
        for _, start, end, hole in self.placement.gaps:
            self.gaps.append(((start - START) / 1e6, None if end is None else (end - START) / 1e6, hole))
        return self


def pattern(seconds: float, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, round(seconds * 8000), dtype=np.uint8).tobytes()


def slots_of(octets: bytes) -> list[bytes]:
    samples = codec.decode(codec.PCMU, octets)
    return [samples[at : at + SLOT].tobytes() for at in range(0, len(samples) - SLOT + 1, SLOT)]


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
def test_any_packet_time_gives_the_same_slots(ptime: int) -> None:
    octets = pattern(2.4)
    reader = Reader().play(packets(1, octets, START, ptime), 3.0)
    assert reader.slots[:120] == slots_of(octets)
    assert reader.starts[0] == START
    assert reader.starts[100] == START + 100 * STEP


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    loss=st.sampled_from([0.0, 0.05, 0.2]),
    jitter=st.sampled_from([0.0, 15.0, 30.0]),
    reorder=st.sampled_from([0.0, 0.3]),
    ptime=st.sampled_from([10, 20, 30]),
)
def test_what_arrives_in_time_is_placed_right_and_nothing_else_is(
    seed: int, loss: float, jitter: float, reorder: float, ptime: int
) -> None:
    octets = pattern(1.8, seed)
    sent = packets(1, octets, START, ptime, seq=65500, stamp=0xFFFFFF00)
    got = network(sent, seed, loss, jitter, reorder)
    first = min(got, key=lambda p: (p.arrival_us, p.seq))
    reader = Reader().play(got, 2.6)
    truth = slots_of(octets)
    lead = (first.rtp_ts - 0xFFFFFF00) % (1 << 32) // SLOT if ptime == 20 else None
    seen = [slot for slot in reader.slots if slot is not None]
    if lead is not None:
        # Whole packets: every slot that came out is one that went in, in order, and none twice.
        places = [truth.index(slot) for slot in seen]
        assert places == sorted(set(places))
        # Packets before the first one that arrived are lost to us; everything else in time is there.
        assert (
            len(seen) + reader.placement.late >= sum((p.rtp_ts - first.rtp_ts) % (1 << 32) < 1 << 31 for p in got) - 1
        )
    assert len(reader.slots) >= len(truth) - 8


def test_duplicates_change_nothing() -> None:
    octets = pattern(1.0)
    stream = [p for packet in packets(1, octets, START) for p in (packet, packet)]
    reader = Reader().play(stream, 1.5)
    assert reader.slots[:50] == slots_of(octets)


def test_loss_is_counted_across_the_wrap_of_sequence_numbers() -> None:
    stream = packets(1, pattern(2.0), START, seq=65530)
    reader = Reader().play([p for n, p in enumerate(stream) if n not in (3, 50, 51)], 2.1)
    assert reader.placement.loss(0) == (100, 3)
    assert Placement(1).loss(0) == (0, 0)


def test_a_new_source_goes_on_where_its_packets_arrive() -> None:
    octets = pattern(4.0)
    old, new = packets(1, octets[:16000], START), packets(1, octets[16000:], START + 2_000_000, seq=40_000, stamp=9)
    reader = Reader().play([*old, *new], 4.5)
    assert reader.placement.jumps == 1
    assert reader.slots[:200] == slots_of(octets)
    assert reader.placement.loss(0) == (100, 0)


def test_a_clock_frozen_in_silence_is_anchored_anew() -> None:
    octets = pattern(2.0)
    stream = packets(1, octets, START)
    # 3 s without packets in which neither sequence nor timestamp moved.
    late = [p._replace(arrival_us=p.arrival_us + 3_000_000) for p in stream[50:]]
    reader = Reader().play([*stream[:50], *late], 5.5)
    tail = [slot for slot in reader.slots[60:] if slot is not None]
    # 0.2 s of packets are needed to tell it from a slow network; the rest is heard.
    assert len(tail) >= 36
    assert tail == slots_of(octets)[-len(tail) :]


def test_a_burst_after_a_stall_does_not_move_the_leg() -> None:
    octets = pattern(4.0)
    stream = packets(1, octets, START)
    held = [p._replace(arrival_us=max(p.arrival_us, START + 2_000_000)) for p in stream[50:]]
    reader = Reader().play([*stream[:50], *held], 4.5)
    assert reader.placement.jumps == 0
    truth = slots_of(octets)
    assert reader.slots[110:200] == truth[110:200]
    assert reader.placement.late > 30


def test_a_gap_with_a_hole_is_network_and_one_without_is_not() -> None:
    stream = packets(1, pattern(6.0), START)
    cut = [p for n, p in enumerate(stream) if not 100 <= n < 150]
    reader = Reader().play(cut, 5.0)
    assert reader.gaps == [(2.0, None, False), (2.0, 3.0, True)]
    whole = [p._replace(seq=p.seq - 50 if n >= 150 else p.seq) for n, p in enumerate(stream) if not 100 <= n < 150]
    reader = Reader().play(whole, 5.0)
    assert reader.gaps == [(2.0, None, False), (2.0, 3.0, False)]
    assert not reader.placement.dtx[0]


def test_a_marker_or_comfort_noise_says_that_silence_is_not_sent() -> None:
    stream = packets(1, pattern(6.0), START)
    resumed = [
        p._replace(seq=p.seq - 50 if n >= 150 else p.seq, marker=n == 150)
        for n, p in enumerate(stream)
        if not 100 <= n < 150
    ]
    assert Reader().play(resumed, 5.0).placement.dtx[0]
    noise = stream[100]._replace(payload_type=13, payload=b"\x40")
    reader = Reader().play([*stream[:100], noise], 3.0)
    assert reader.placement.dtx[0]
    assert reader.slots[101:110] == [None] * 9


def test_keys_are_no_gap_and_do_not_move_the_clock() -> None:
    stream = packets(1, pattern(3.0), START)
    pressed = [
        p._replace(payload_type=101, rtp_ts=stream[50].rtp_ts, payload=b"\x00\x0a\x00\xa0") if 50 <= n < 100 else p
        for n, p in enumerate(stream)
    ]
    reader = Reader().play(pressed, 3.0)
    assert reader.gaps == []
    assert reader.slots[100:140] == slots_of(pattern(3.0))[100:140]


def test_a_codec_we_cannot_decode_is_a_gap() -> None:
    stream = [p._replace(payload_type=111) for p in packets(1, pattern(2.0), START)]
    reader = Reader().play(stream, 2.0)
    assert set(reader.slots) == {None}
    assert reader.gaps[0][1] is None
    assert reader.placement.loss(0) == (100, 0)


def test_linear_and_a_law_payloads_and_an_odd_octet() -> None:
    octets = pattern(1.0)
    a_law = Reader().play([p._replace(payload_type=8) for p in packets(1, octets, START)], 1.5)
    samples = codec.decode(codec.PCMA, octets)
    assert b"".join(slot or b"" for slot in a_law.slots[:50]) == samples.tobytes()
    linear = [
        p._replace(payload_type=96, payload=codec.decode(codec.PCMU, p.payload).astype(">i2").tobytes())
        for p in packets(1, octets, START)
    ]
    linear[20] = linear[20]._replace(payload=linear[20].payload[:-1])
    reader = Reader().play(linear, 1.5)
    truth = slots_of(octets)
    assert reader.slots[:20] == truth[:20]
    assert reader.slots[21:50] == truth[21:50]


def test_the_reader_waits_for_late_packets_and_no_longer() -> None:
    octets = pattern(1.0)
    stream = packets(1, octets, START)
    on_time = stream[20]._replace(arrival_us=stream[20].arrival_us + DELAY_US - 25_000)
    too_late = stream[30]._replace(arrival_us=stream[30].arrival_us + DELAY_US + 25_000)
    order = sorted([*stream[:20], on_time, *stream[21:30], too_late, *stream[31:]], key=lambda p: p.arrival_us)
    reader = Reader().play(order, 1.5)
    truth = slots_of(octets)
    assert reader.slots[20] == truth[20]
    assert reader.slots[30] is None
    assert reader.placement.late == 1


def test_drift_loses_nothing() -> None:
    # 300 ppm over 10 minutes are three times what the reader waits; one packet in ten shows where it stands.
    placement = Placement(1)
    late = read = 0
    rows = np.array([0])
    payload = bytes(160)
    jitter = Random(1)
    for number in range(0, 30_000, 10):
        now = START + round((number + 1) * STEP / (1 + 300e-6)) + STEP
        placement.clock.step(now, 10 * STEP)
        arrival = now - STEP + jitter.randrange(10_000)
        packet = TapPacket(1, number & 0xFFFF, 0, False, 0, number * 160 & 0xFFFFFFFF, arrival, payload)
        placement.write(Batch(rows, np.array([codec.PCMU]), [packet]))
        while len(due := placement.due(now)):
            _, present, _ = placement.read(due)
            read += int(present[0])
    late = placement.late
    assert late == 0
    assert placement.jumps == 0
    assert read >= 2_990


def test_rows_can_be_used_again() -> None:
    octets = pattern(1.0)
    reader = Reader()
    reader.play(packets(1, octets, START), 1.2)
    reader.placement.blank(0)
    reader.placement.grow(3)
    reader.placement.gaps.clear()
    reader.slots.clear()
    again = packets(1, octets, START + 1_200_000, seq=7, stamp=1)
    reader.play(again, 2.5)
    assert reader.slots[:50] == slots_of(octets)
    assert reader.placement.begun == [0, 0]


def test_a_key_beside_a_jump_of_another_leg() -> None:
    placement = Placement(2)
    rows = np.array([0, 1])
    placement.clock.step(START, STEP)
    first = [TapPacket(leg, 1, 0, False, 0, 1000, START, bytes(160)) for leg in (0, 1)]
    placement.write(Batch(rows, np.array([codec.PCMU, codec.PCMU]), first))
    second = [
        TapPacket(0, 900, 0, False, 0, 5_000_000, START + STEP, bytes(160)),
        TapPacket(1, 2, 101, False, 0, 1160, START + STEP, bytes(4)),
    ]
    placement.write(Batch(rows, np.array([codec.PCMU, codec.EVENT]), second))
    assert placement.jumps == 1
    assert placement.loss(0) == (1, 0)
    assert placement.loss(1) == (2, 0)


def test_two_codecs_in_one_batch_keep_to_their_own_rows() -> None:
    placement = Placement(2)
    octets = bytes(range(160))
    first, second = packets(1, octets, START)[0], packets(2, octets, START)[0]
    placement.clock.step(START + STEP, STEP)
    placement.write(Batch(np.array([0, 1]), np.array([codec.PCMU, codec.PCMA]), [first, second]))
    now = START + DELAY_US + 2 * STEP
    frames, present, _ = placement.read(placement.due(now))
    assert present.all()
    assert frames[0].tobytes() == codec.decode(codec.PCMU, octets).tobytes()
    assert frames[1].tobytes() == codec.decode(codec.PCMA, octets).tobytes()
