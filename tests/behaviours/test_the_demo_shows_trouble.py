"""Who opens the demo sees a dead air, a talk-over and a hold within 20 s, whenever that is: the scripts promise it.

The first three agents play one script each over and over. Here the live analysis hears each of them, at virtual speed
and with the generated voice, and no stretch without its trouble may be longer than 17 s, hang-up and ringing
included; the other 3 s are for browsers, voices that speak at another pace, and slow machines.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from livemon.demo.cast import AGENTS
from livemon.demo.centre import scripts
from livemon.demo.schedule import PAUSE_S, RING_S
from livemon.demo.track import RATE, Conversation, Samples, lay_out
from livemon.demo.voice import TTS_RATE, levelled, shaped_speaker

WITHIN_S = 17.0
# Between two calls of an agent nothing is shown.
BETWEEN_S = PAUSE_S[1] + RING_S[1]
DEAD_AIR_S, TALK_OVER_S = 5.0, 3.0
FRAME = RATE // 50

pytestmark = pytest.mark.slow


@cache
def spoken(text: str) -> Samples:
    sound = shaped_speaker(text, 1.0)
    return levelled(np.asarray(sound[:: TTS_RATE // RATE], dtype=np.float64))


def played(script: str) -> Conversation:
    return lay_out(scripts()[script], lambda who, text: spoken(text), 1)


def speaks(track: Samples) -> np.ndarray:
    """Whether there is speech, in steps of 20 ms; gaps up to 0.3 s within words do not count (as in the analysis)."""
    frames = track[: len(track) // FRAME * FRAME].astype(np.float64).reshape(-1, FRAME)
    loud = np.sqrt((frames**2).mean(axis=1)) > 200
    closed = np.convolve(loud, np.ones(15), mode="full")[: len(loud)] > 0
    return np.asarray(closed)


def stretches(holds: np.ndarray, at_least_s: float) -> list[tuple[float, float]]:
    """Stretches of at least that long, as (when the trouble becomes visible, when it ends) in s."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], holds, [False]]).astype(np.int8)))
    found = [(start * 0.02, end * 0.02) for start, end in edges.reshape(-1, 2)]
    return [(start + at_least_s, end) for start, end in found if end - start >= at_least_s]


def longest_wait(shown: list[tuple[float, float]], seconds: float) -> float:
    """Return the longest time without the trouble, over calls that follow one another."""
    again = [(start + seconds + BETWEEN_S, end + seconds + BETWEEN_S) for start, end in shown[:1]]
    series = [*shown, *again]
    return max(later[0] - earlier[1] for earlier, later in pairwise(series))


def test_the_first_three_agents_play_the_trouble() -> None:
    assert [agent.scripts for agent in AGENTS[:3]] == [("lost_order",), ("late_refund",), ("warranty",)]


def test_there_is_always_dead_air_soon() -> None:
    call = played("lost_order")
    shown = stretches(~(speaks(call.agent) | speaks(call.customer)), DEAD_AIR_S)
    assert longest_wait(shown, call.seconds) <= WITHIN_S


def test_there_is_always_a_talk_over_soon() -> None:
    call = played("late_refund")
    shown = stretches(speaks(call.agent) & speaks(call.customer), TALK_OVER_S)
    assert longest_wait(shown, call.seconds) <= WITHIN_S


def test_there_is_always_a_hold_soon() -> None:
    call = played("warranty")
    cues = [cue.at / RATE for cue in call.cues]
    assert longest_wait(list(zip(cues[::2], cues[1::2], strict=True)), call.seconds) <= WITHIN_S
