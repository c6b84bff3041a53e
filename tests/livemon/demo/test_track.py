import numpy as np

from livemon.demo.script import Hold, Say, Script, Silence, Who
from livemon.demo.track import RATE, Cue, Samples, lay_out


def second(who: Who, text: str) -> Samples:
    """A second of a loud constant."""
    return np.full(RATE, 8000 if text != "loud" else 32767, dtype=np.int16)


def script(*lines: Say | Silence | Hold, repeat: int = 1) -> Script:
    return Script("s", "s", "inbound", "", repeat, lines)


def loud(track: Samples) -> list[tuple[int, int]]:
    """The stretches over half the constant, as pairs of start and end sample."""
    over = np.concatenate([[False], track > 4000, [False]])
    edges = np.flatnonzero(over[1:] != over[:-1])
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def test_lines_follow_each_other_with_their_gaps() -> None:
    made = lay_out(script(Say("agent", "a", 0.0), Say("customer", "b", 0.5), Say("agent", "c", -0.25)), second, 1)
    assert loud(made.agent) == [(0, RATE), (RATE * 9 // 4, RATE * 13 // 4)]
    assert loud(made.customer) == [(RATE * 3 // 2, RATE * 5 // 2)]
    assert made.seconds == 3.25


def test_silence_and_hold_come_after_everything_before() -> None:
    made = lay_out(script(Say("agent", "a", 0.0), Silence(2.0), Hold(3.0), Say("agent", "b", 0.0)), second, 1)
    assert made.cues == [Cue(3 * RATE, "hold"), Cue(6 * RATE, "resume")]
    assert loud(made.agent) == [(0, RATE), (6 * RATE, 7 * RATE)]


def test_repeat_plays_the_lines_again() -> None:
    made = lay_out(script(Say("agent", "a", 0.0), Silence(1.0), repeat=3), second, 1)
    assert loud(made.agent) == [(0, RATE), (2 * RATE, 3 * RATE), (4 * RATE, 5 * RATE)]


def test_a_first_line_never_starts_before_the_call() -> None:
    assert loud(lay_out(script(Say("agent", "a", -1.0)), second, 1).agent) == [(0, RATE)]


def test_the_same_seed_gives_the_same_samples_and_another_does_not() -> None:
    one, two, three = (lay_out(script(Silence(1.0)), second, seed) for seed in (7, 7, 8))
    assert np.array_equal(one.agent, two.agent)
    assert not np.array_equal(one.agent, three.agent)
    assert not np.array_equal(one.agent, one.customer)


def test_overlapping_lines_of_one_party_saturate() -> None:
    made = lay_out(script(Say("agent", "loud", 0.0), Say("agent", "loud", -1.0)), second, 1)
    assert int(made.agent.max()) == 32767
    assert int(made.agent.min()) > -32768
