"""Arrays of one row per leg that grow together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Rows = NDArray[np.int64]
Micros = NDArray[np.int64]
Flags = NDArray[np.bool_]
Reals = NDArray[np.float64]


class Columns:
    """Base of everything columnar: named arrays whose first axis is the leg's row."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._fills: dict[str, Any] = {}

    def _column(self, name: str, dtype: DTypeLike, fill: Any, *shape: int) -> NDArray[Any]:
        self._fills[name] = fill
        return np.full((self._rows, *shape), fill, dtype)

    def grow(self, rows: int) -> None:
        """Make room for `rows` rows; the new ones are blank."""
        for name, fill in self._fills.items():
            old = getattr(self, name)
            new = np.full((rows, *old.shape[1:]), fill, old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
        self._rows = rows

    def blank(self, row: int) -> None:
        """Give `row` back its first values."""
        for name, fill in self._fills.items():
            getattr(self, name)[row] = fill
