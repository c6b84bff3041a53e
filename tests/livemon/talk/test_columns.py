from __future__ import annotations

import numpy as np

from livemon.talk.columns import Columns


class Pair(Columns):
    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.number = self._column("number", np.int64, 7)
        self.wide = self._column("wide", np.float64, 0.5, 3)


def test_growing_keeps_the_old_rows_and_blanks_the_new() -> None:
    pair = Pair(2)
    pair.number[:] = [1, 2]
    pair.wide[1] = 9.0
    pair.grow(4)
    assert pair.number.tolist() == [1, 2, 7, 7]
    assert pair.wide.tolist() == [[0.5] * 3, [9.0] * 3, [0.5] * 3, [0.5] * 3]


def test_blanking_gives_one_row_its_first_values_back() -> None:
    pair = Pair(2)
    pair.number[:] = 3
    pair.wide[:] = 3.0
    pair.blank(0)
    assert pair.number.tolist() == [7, 3]
    assert pair.wide.tolist() == [[0.5] * 3, [3.0] * 3]
