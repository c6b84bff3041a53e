from __future__ import annotations

import pytest

from livemon.talk.bank import FIRST_ROWS, LegBank, rounds
from sip_bridge.link.wire import FLAG_COMFORT_NOISE, FLAG_DTMF, FLAG_GENERATED, TapPacket
from tests.speechlike import packets, talk

START = 1_000_000
CODECS = {0: "PCMU", 101: "telephone-event"}


def bank(*legs: int) -> LegBank:
    out = LegBank()
    for leg in legs:
        row = out.add(leg)
        out.codecs(row, CODECS)
        out.audible[row] = True
    return out


def play(out: LegBank, stream: list[TapPacket], until: float) -> list[tuple[str, int]]:
    """Run in time; returns (what, leg) of every spurt change."""
    log = []
    at = 0
    for now in range(START + 20_000, START + round(until * 1e6), 20_000):
        out.placement.clock.step(now, 20_000)
        first = at
        while at < len(stream) and stream[at].arrival_us <= now:
            at += 1
        out.write(stream[first:at])
        while len(due := out.due(now)):
            changes = out.read(due)
            for name in ("closed", "opened", "extended"):
                log += [(name, out.leg_at[row]) for row in getattr(changes, name).tolist()]
    return log


@pytest.mark.parametrize(
    ("rows", "runs"),
    [([], []), ([1, 2, 3], [(0, 3)]), ([1, 1, 2, 1], [(0, 1), (1, 3), (3, 4)]), ([4, 4], [(0, 1), (1, 2)])],
)
def test_rounds_have_every_row_once(rows: list[int], runs: list[tuple[int, int]]) -> None:
    assert rounds(rows) == runs


def test_speech_of_one_leg_is_not_speech_of_another() -> None:
    legs = bank(7, 9)
    stream = sorted(
        [*packets(7, talk(3, [(1.0, 2.0)], 1), START), *packets(9, talk(3, [], 2), START)], key=lambda p: p.arrival_us
    )
    log = play(legs, stream, 3.0)
    assert log == [("opened", 7), ("closed", 7)]
    assert legs.levels.last[legs.row_of[9]] < -60


def test_speaking_ends_with_the_speech_not_with_the_spurt() -> None:
    legs = bank(7)
    stream = packets(7, talk(3, [(1.0, 2.0)], 1), START)
    play(legs, stream, 1.7)
    assert legs.speaking(legs.row_of[7])
    legs = bank(7)
    play(legs, stream, 2.3)
    assert not legs.speaking(legs.row_of[7])
    assert legs.spurts.open[legs.row_of[7]]


def test_more_legs_than_rows_and_rows_used_again() -> None:
    legs = bank(*range(FIRST_ROWS * 2 + 1))
    assert len(set(legs.row_of.values())) == FIRST_ROWS * 2 + 1
    row = legs.row_of[5]
    play(legs, packets(5, talk(2, [(0.5, 2.0)], 1), START), 2.0)
    legs.remove(5)
    assert not legs.placement.started[row]
    assert not legs.spurts.open[row]
    assert legs.add(99) == row
    assert legs.add(99) == row
    assert not legs.audible[row]


def test_unknown_legs_and_payload_types_are_left_out() -> None:
    legs = bank(1, 2)
    known, strange = packets(1, talk(0.2, [], 1), START), packets(2, talk(0.2, [], 2), START, payload_type=77)
    assert legs.write([*known[:1], *packets(3, talk(0.1, [], 3), START)[:2]]) == 2
    assert legs.write([known[1], strange[0]]) == 0
    assert legs.write([strange[1]]) == 0
    assert legs.write([]) == 0
    assert legs.placement.started.tolist()[:2] == [row == legs.row_of[1] for row in range(2)]


def test_flags_of_the_tap_say_more_than_the_payload_type() -> None:
    legs = bank(1)
    first, second, third, fourth = packets(1, talk(0.1, [], 1), START)[:4]
    legs.write([first])
    legs.write([second._replace(flags=FLAG_GENERATED)])
    assert legs.placement.loss(legs.row_of[1]) == (1, 0)
    legs.write([third._replace(flags=FLAG_COMFORT_NOISE)])
    assert legs.placement.dtx[legs.row_of[1]]
    legs.write([fourth._replace(flags=FLAG_DTMF, payload=b"\x00\x0a\x00\xa0")])
    assert legs.placement.loss(legs.row_of[1]) == (4, 1)


def test_how_far_a_leg_was_read() -> None:
    legs = bank(1)
    assert legs.read_to(legs.row_of[1], START) == START - 60_000
    play(legs, packets(1, talk(1, [], 1), START), 1.0)
    assert 0.9 <= (legs.read_to(legs.row_of[1], START + 1_000_000) - START) / 1e6 <= 0.94


def test_legs_of_several_codecs_in_one_step() -> None:
    legs = bank(1, 2)
    legs.codecs(legs.row_of[2], {8: "PCMA"})
    mu = packets(1, talk(1, [], 1), START)
    a = [p._replace(leg=2, payload_type=8, payload=bytes([0x80]) * 160) for p in mu]
    play(legs, sorted([*mu, *a], key=lambda p: p.arrival_us), 1.0)
    assert legs.levels.last[legs.row_of[1]] < -60
    # A-law 0x80 is the sample 5504 of 32768.
    assert legs.levels.last[legs.row_of[2]] == pytest.approx(-15.5, abs=0.1)


def test_a_leg_that_may_not_be_heard_never_speaks() -> None:
    legs = bank(7)
    legs.audible[legs.row_of[7]] = False
    assert play(legs, packets(7, talk(3, [(1.0, 2.0)], 1), START), 3.0) == []
