from typing import Any

import pytest

from sip_bridge.media import rtp
from sip_bridge.media.commands import Address, Open, Set
from sip_bridge.media.leg import Current, Dropped, Kind, Leg, clock_rate, kinds

PHONE: Address = ("10.0.0.1", 4000)
NAT: Address = ("192.0.2.1", 61000)
OTHER: Address = ("192.0.2.66", 6666)
MS = 1_000_000


class Play:
    def __init__(self, *, customer: bool = False, **members: Any) -> None:
        self.current = Current()
        self.leg = Leg(Open(1, 22000, customer, 2, "s"), self.current)
        self.set(**members)
        self.now = 10**12

    def set(self, **members: Any) -> None:
        setting = Set(1, PHONE, None, {0: "PCMU", 101: "telephone-event/8000"}, 20, False, True, True, False, False)
        self.leg.set(setting._replace(**members))

    def packet(
        self,
        seq: int = 1,
        timestamp: int = 160,
        ssrc: int = 9,
        kind: int = 0,
        source: Address = PHONE,
        payload: bytes = b"x" * 160,
    ) -> bytes | Dropped:
        return self.raw(rtp.build(rtp.Packet(seq, timestamp, ssrc, kind, False, payload)), source)

    def raw(self, data: bytes, source: Address = PHONE) -> bytes | Dropped:
        self.current.buffer[: len(data)] = data
        return self.leg.receive(len(data), source, self.now)


def test_a_packet_from_the_signalled_address_is_taken() -> None:
    play = Play()
    assert play.packet(seq=5, timestamp=800, kind=101) == b"x" * 160
    current = play.current
    assert (current.seq, current.timestamp, current.second, current.start, current.end, current.size) == (
        5,
        800,
        101,
        12,
        172,
        172,
    )
    assert current.kind == play.leg.kind == Kind.DTMF
    assert current.fresh
    assert current.proof.holds(1, 800, b"x" * 160)


def test_only_what_goes_to_a_customer_is_proven() -> None:
    play = Play(customer=True)
    play.packet()
    assert not play.current.proof.holds(1, 160, b"x" * 160)


@pytest.mark.parametrize("source", [("10.0.0.1", 4001), ("10.0.0.2", 4000), OTHER])
def test_any_other_source_is_dropped_and_counted(source: Address) -> None:
    play = Play()
    assert play.packet(source=source) is Dropped.FOREIGN
    assert play.leg.dropped[Dropped.FOREIGN] == 1
    assert play.leg.packets == 0


def test_without_a_signalled_address_nothing_is_taken() -> None:
    play = Play(remote=None)
    assert play.packet() is Dropped.FOREIGN


@pytest.mark.parametrize("data", [b"", b"\x80", bytes(172), b"\x80\0" + bytes(1600)])
def test_malformed_packets_are_counted(data: bytes) -> None:
    play = Play()
    assert play.raw(data) is Dropped.MALFORMED
    assert play.leg.dropped[Dropped.MALFORMED] == 1


def test_an_extension_header_is_stepped_over() -> None:
    play = Play()
    assert play.raw(b"\x90\0\0\1" + bytes(8) + b"\xbe\xde\0\1exteABC") == b"ABC"
    assert (play.current.start, play.current.end) == (20, 23)


def test_rtcp_on_the_rtp_port_is_told_apart() -> None:
    assert Play().raw(b"\x80\xc8\0\6" + bytes(24)) is Dropped.RTCP


def test_more_packets_than_the_cap_are_dropped_after_a_burst() -> None:
    play = Play()
    taken = sum(play.packet(seq=seq, timestamp=160 * seq) is not Dropped.CAPPED for seq in range(1000))
    assert taken == 200
    for _ in range(5):
        play.leg.refill()
        taken = sum(play.packet(seq=seq) is not Dropped.CAPPED for seq in range(1000))
        assert taken == 100
    assert play.leg.dropped[Dropped.CAPPED] == 800 + 5 * 900


@pytest.mark.parametrize("ptime, cap", [(10, 200), (20, 100), (30, 100), (60, 100)])
def test_the_cap_follows_the_packet_time(ptime: int, cap: int) -> None:
    play = Play(ptime=ptime)
    assert play.leg.cap == cap


def learn(play: Play, sources: list[Address]) -> list[bool]:
    return [isinstance(play.packet(seq=seq, source=source), bytes) for seq, source in enumerate(sources)]


def test_a_source_is_learned_by_three_of_five_and_then_locked() -> None:
    play = Play(learn=True)
    assert learn(play, [NAT, OTHER, NAT, NAT, NAT]) == [False, False, False, True, True]
    assert play.leg.source == NAT
    assert play.leg.learned
    assert play.leg.unsaid
    assert learn(play, [OTHER] * 10 + [PHONE]) == [False] * 11


def test_the_signalled_address_ends_the_window_at_once() -> None:
    play = Play(learn=True)
    assert learn(play, [OTHER, OTHER, PHONE, OTHER, OTHER, OTHER]) == [False, False, True, False, False, False]
    assert not play.leg.learned


def test_after_five_packets_without_a_majority_nothing_is_learned() -> None:
    play = Play(learn=True)
    third: Address = ("192.0.2.3", 1)
    assert not any(learn(play, [NAT, OTHER, third, NAT, OTHER, NAT, NAT, NAT]))
    assert isinstance(play.packet(), bytes)


def test_junk_does_not_use_up_the_window() -> None:
    play = Play(learn=True)
    for _ in range(10):
        assert play.raw(b"junk", OTHER) is Dropped.FOREIGN
    assert learn(play, [NAT, NAT, NAT]) == [False, False, True]


def test_a_new_address_opens_a_new_window_and_the_same_one_does_not() -> None:
    play = Play(learn=True)
    learn(play, [NAT] * 3)
    play.set(learn=True, held=True)
    assert play.leg.source == NAT
    moved: Address = ("10.0.0.9", 4000)
    play.set(learn=True, remote=moved)
    assert not play.leg.learned
    assert learn(play, [NAT, NAT, NAT]) == [False, False, True]


def test_learning_is_off_unless_asked_for() -> None:
    play = Play()
    assert not any(learn(play, [NAT] * 10))
    assert not play.leg.window_open


def count(seqs: list[int]) -> tuple[int, int, int, list[bool]]:
    play = Play()
    fresh = []
    for seq in seqs:
        play.packet(seq=seq & 0xFFFF)
        fresh.append(play.current.fresh)
    return play.leg.packets, play.leg.lost, play.leg.reordered, fresh


def test_holes_late_packets_and_copies_are_counted() -> None:
    assert count([1, 2, 3]) == (3, 0, 0, [True] * 3)
    assert count([1, 4]) == (2, 2, 0, [True] * 2)
    assert count([1, 3, 2]) == (3, 0, 1, [True, True, False])
    assert count([1, 2, 2]) == (3, 0, 1, [True, True, False])
    assert count([65534, 65535, 0, 1]) == (4, 0, 0, [True] * 4)
    assert count([65534, 1]) == (2, 2, 0, [True] * 2)


def test_a_restarted_sequence_is_no_loss() -> None:
    assert count([1, 40000, 40001]) == (3, 0, 0, [True] * 3)
    assert count([5000, 10, 11]) == (3, 0, 0, [True] * 3)


def test_a_new_source_is_marked_and_is_no_loss() -> None:
    play = Play()
    play.packet(seq=1)
    assert play.leg.renewed
    play.leg.renewed = False
    play.packet(seq=2)
    assert not play.leg.renewed
    play.packet(seq=9000, ssrc=10)
    assert play.leg.renewed
    assert (play.leg.packets, play.leg.lost, play.leg.expected) == (3, 0, 3)


def test_the_source_of_an_earlier_life_is_not_new() -> None:
    play = Play()
    play.leg.renewed, play.leg.resumed = False, 9
    play.packet(seq=700)
    assert not play.leg.renewed
    assert play.leg.resumed is None


def test_the_extended_sequence_number_counts_the_wraps() -> None:
    play = Play()
    for seq in (65535, 0, 1):
        play.packet(seq=seq)
    assert play.leg.highest == 65537


def test_jitter_is_that_of_rfc_3550() -> None:
    play = Play()
    jitter = 0.0
    for index in range(200):
        play.now = 10**12 + index * 20 * MS + (5 * MS if index % 2 else 0)
        play.packet(seq=index, timestamp=index * 160)
        jitter += (40 - jitter) / 16 if index else 0
    assert play.leg.jitter_tenth_ms == pytest.approx(jitter / 0.8, abs=2)
    play.leg.refill()
    before = play.leg.jitter
    assert isinstance(play.packet(seq=200, timestamp=10**9), bytes)
    assert play.leg.jitter == before, "a clock that was set is no jitter"


def test_rtcp_comes_from_the_next_port_unless_signalled() -> None:
    play = Play()
    assert play.leg.rtcp_source == ("10.0.0.1", 4001)
    play.set(rtcp=("10.0.0.1", 9))
    assert play.leg.rtcp_source == ("10.0.0.1", 9)
    play.leg.learned_at(NAT)
    assert play.leg.rtcp_source == ("192.0.2.1", 61001)
    play.set(remote=None)
    assert play.leg.rtcp_source is None
    play.set(remote=("::1", 4000, 0, 0))
    assert play.leg.rtcp_source == ("::1", 4001, 0, 0)


def test_kinds_follow_the_negotiated_names_then_the_static_ones() -> None:
    table = kinds({0: "G722", 96: "pcma/8000", 101: "telephone-event", 97: "opus/48000"})
    assert [table[number] for number in (0, 8, 13, 96, 97, 101, 127)] == [
        Kind.OTHER, Kind.PCMA, Kind.COMFORT_NOISE, Kind.PCMA, Kind.OTHER, Kind.DTMF, Kind.OTHER
    ]  # fmt: skip


@pytest.mark.parametrize(
    "codecs, rate",
    [
        ({}, 8000),
        ({101: "telephone-event/8000", 97: "opus/48000/2"}, 48000),
        ({97: "opus"}, 48000),
        ({9: "G722"}, 8000),
        ({0: "PCMU/x"}, 8000),
        ({0: "PCMU/0"}, 8000),
    ],
)
def test_the_clock_is_that_of_the_first_audio_codec(codecs: dict[int, str], rate: int) -> None:
    assert clock_rate(codecs) == rate
