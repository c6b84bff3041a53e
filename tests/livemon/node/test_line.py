from __future__ import annotations

from livemon.node.line import BridgeLine
from livemon.tap.messages import Hello
from sip_bridge.link.wire import TapFrame, TapPacket, TapRow
from tests.bridges import tone

START = 50_000_000
AHEAD = 7_000_000
"""Microseconds by which the node's clock is ahead of the bridge's."""
VOICE = tone(400)


def hello(newest: int = 0, at_us: int = START) -> Hello:
    return Hello(1, "b1", "x", at_us * 1000, 1_700_000_000_000, 0, newest)


def packet(number: int) -> TapPacket:
    return TapPacket(7, number, 0, False, 0, number * 160, START + number * 20_000, VOICE[number])


def frame(number: int) -> TapFrame:
    """Frame `number` (tick number + 1) with the packet of that 20 ms."""
    return TapFrame(1, number + 1, number, (packet(number),))


def talking(line: BridgeLine) -> None:
    line.talk.start("i1", START)
    line.talk.add_leg(7, "i1", "agent", {0: "PCMU"})
    line.talk.signal("i1", "answered", START)


def play(line: BridgeLine, first: int, last: int) -> None:
    for number in range(first, last):
        line.frame(frame(number), START + AHEAD + number * 20_000 + 1000)
        line.step(START + AHEAD + number * 20_000 + 15_000)


def test_packets_become_figures_and_only_listened_legs_are_handed_out() -> None:
    line = BridgeLine("b1")
    assert line.attached(hello(), START + AHEAD) is None
    talking(line)
    assert line.frame(frame(0), START + AHEAD + 1000) == ([], [])
    line.port.listen([7], True)
    packets, rows = line.frame(frame(1), START + AHEAD + 21_000)
    assert (packets, rows) == ([packet(1)], [])
    row = TapRow(7, 2, 0, 0, 0, -9600, 1)
    assert line.frame(TapFrame(1, 3, 2, rows=(row,)), START + AHEAD + 30_000) == ([], [row])
    assert line.counters()["tap_frames"] == 3


def test_the_analysis_counts_what_is_said() -> None:
    line = BridgeLine("b1")
    line.attached(hello(), START + AHEAD)
    talking(line)
    play(line, 0, 150)
    assert 2000 <= line.talk.figures("i1").agent_talk_ms <= 3000


def test_a_checkpoint_and_a_replay_leave_no_hole() -> None:
    whole = BridgeLine("b1")
    whole.attached(hello(), START + AHEAD)
    talking(whole)
    play(whole, 0, 300)

    line = BridgeLine("b1")
    line.attached(hello(), START + AHEAD)
    talking(line)
    play(line, 0, 100)
    kept = line.keep()
    assert kept is not None
    play(line, 100, 140)  # lost with the process

    later = BridgeLine.recall(kept)
    assert later.attached(hello(200, START + 200 * 20_000), START + AHEAD + 200 * 20_000) == 100
    talking(later)
    at = START + AHEAD + 200 * 20_000
    for live, replayed in zip([200, 201], [range(100, 150), range(150, 200)], strict=True):
        later.frame(frame(live), at)
        for number in replayed:
            later.frame(frame(number), at)
        later.step(at + 5000)
    play(later, 202, 300)
    assert later.counters()["tap_holes"] == 0
    told, expected = later.talk.figures("i1"), whole.talk.figures("i1")
    assert abs(told.agent_talk_ms - expected.agent_talk_ms) <= 200
    assert told.silence_total_ms - expected.silence_total_ms <= 200


def test_frames_that_never_come_are_tap_lost_not_silence() -> None:
    line = BridgeLine("b1")
    line.attached(hello(), START + AHEAD)
    talking(line)
    play(line, 0, 50)
    for number in range(50, 120):
        line.step(START + AHEAD + number * 20_000 + 15_000)
    play(line, 120, 160)
    assert line.counters()["tap_holes"] == 1
    assert line.talk.figures("i1").dead_air_events == 0


def test_a_talk_state_that_cannot_be_read_begins_anew() -> None:
    line = BridgeLine("b1")
    assert line.keep() is None
    line.attached(hello(), START + AHEAD)
    line.frame(frame(0), START + AHEAD)
    kept = line.keep()
    assert kept is not None
    from msgspec.structs import replace

    later = BridgeLine.recall(replace(kept, talk=b"\xc1"))
    assert later.attached(hello(9), START + AHEAD) is None


def test_the_bridges_clock() -> None:
    line = BridgeLine("b1")
    assert line.now_us(123) == 123
    line.anchored(1, 1)
    line.attached(hello(), START + AHEAD + 900)
    line.anchored((START + 1000) * 1000, START + AHEAD + 1000)
    assert line.now_us(START + AHEAD + 5000) == START + 5000
