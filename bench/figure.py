"""One measured figure, as a JSON line."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A value, its unit and goal, and the strongest peer's value where one was measured."""

    name: str
    value: float | None
    unit: str
    goal: str
    conditions: str
    peer: str = ""
    peer_value: str = ""

    def line(self) -> str:
        """Return the JSON line."""
        return json.dumps({**asdict(self), "conditions": f"{self.conditions}; {machine()}"})


def machine() -> str:
    """Say how loaded this machine is."""
    return f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, scheduling class other"
