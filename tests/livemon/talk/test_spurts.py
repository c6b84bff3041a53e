from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from livemon.talk.spurts import FRAME_US, SpurtFinder

ROW = np.array([0])


def find(frames: str | list[bool]) -> tuple[list[tuple[int, int]], list[str]]:
    """Run frames ('#' is speech) through a finder; returns the spurts in frames, and what happened in order."""
    finder = SpurtFinder(1)
    spurts: list[tuple[int, int]] = []
    log: list[str] = []
    for number, frame in enumerate(frames):
        changes = finder.step(ROW, np.array([number * FRAME_US]), np.array([frame in ("#", True)]))
        assert changes.any() == bool(len(changes.closed) or len(changes.opened) or len(changes.extended))
        for start, end in zip(changes.closed_start.tolist(), changes.closed_end.tolist(), strict=True):
            spurts.append((start // FRAME_US, end // FRAME_US))
            log.append("closed")
        log += ["opened"] * len(changes.opened) + ["extended"] * len(changes.extended)
    last = finder.close(0)
    if last is not None:
        spurts.append((last[0] // FRAME_US, last[1] // FRAME_US))
    return spurts, log


def test_a_burst_counts_from_its_first_frame_to_its_last() -> None:
    assert find("..#####" + "." * 30) == ([(2, 7)], ["opened", "closed"])


def test_three_of_five_frames_are_a_burst_and_two_are_not() -> None:
    assert find("#.#.#" + "." * 30)[0] == [(0, 5)]
    assert find("##...##...##" + "." * 30)[0] == []


def test_pauses_below_a_third_of_a_second_are_filled() -> None:
    assert find("#####" + "." * 14 + "#####" + "." * 30) == ([(0, 24)], ["opened", "extended", "closed"])
    assert find("#####" + "." * 15 + "#####" + "." * 30) == (
        [(0, 5), (20, 25)],
        ["opened", "closed", "opened", "closed"],
    )


def test_single_frames_do_not_stretch_a_spurt() -> None:
    assert find("#####" + "......#......#......#......")[0] == [(0, 5)]


def test_an_open_spurt_shows_its_end_so_far_without_hang_over() -> None:
    finder = SpurtFinder(1)
    for number, frame in enumerate("#####......"):
        finder.step(ROW, np.array([number * FRAME_US]), np.array([frame == "#"]))
    assert finder.open[0]
    assert finder.paused[0]
    assert finder.end[0] == 5 * FRAME_US


def test_rows_are_apart() -> None:
    finder = SpurtFinder(2)
    both = np.array([0, 1])
    for number in range(5):
        finder.step(both, np.full(2, number * FRAME_US), np.array([True, False]))
    assert finder.open.tolist() == [True, False]
    assert finder.close(1) is None


@given(st.lists(st.booleans(), max_size=400))
def test_spurts_are_sorted_apart_and_made_of_speech(frames: list[bool]) -> None:
    spurts, _ = find(frames)
    for start, end in spurts:
        assert frames[start]
        assert frames[end - 1]
        assert end - start >= 3
    for (_, end), (start, _) in pairwise(spurts):
        assert start - end >= 15
