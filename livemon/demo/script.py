"""Conversations as small scripts: who says what, who waits, who puts whom on hold.

A script is a TOML file: `title`, `direction` (`inbound` or `outbound`), `queue`, and a list `line`. A line is one of

* `agent = "text"` or `customer = "text"`, with `after` seconds from the end of the line before (negative: over it),
* `silence = seconds`, `hold = seconds` (put on hold by the agent), each after everything before it.

`repeat` (default 1) is how often the lines are played before the call ends.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any, Literal

from livemon.errors import ConfigError

Who = Literal["agent", "customer"]

# People leave about a quarter of a second between turns (Stivers et al. 2009, PNAS 106: median 0 to 300 ms).
DEFAULT_GAP_S = 0.25


@dataclass(frozen=True, slots=True)
class Say:
    """A party speaks `text`, `after` seconds from the end of the line before."""

    who: Who
    text: str
    after: float


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody speaks for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """The agent puts the customer on hold for `seconds`."""

    seconds: float


Line = Say | Silence | Hold


@dataclass(frozen=True, slots=True)
class Script:
    """One conversation."""

    name: str
    title: str
    direction: Literal["inbound", "outbound"]
    queue: str
    repeat: int
    lines: tuple[Line, ...]


def parse(name: str, text: str) -> Script:
    """Parse the TOML of one script.

    Raises:
        ConfigError: the script is wrong; the text names the script, the line and the fix.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"script {name}: {error}") from error
    direction = table.get("direction", "inbound")
    if direction not in ("inbound", "outbound"):
        raise ConfigError(f"script {name}: direction is {direction!r}; write inbound or outbound")
    lines = tuple(_line(name, number, entry) for number, entry in enumerate(table.get("line", []), 1))
    if not lines:
        raise ConfigError(f"script {name}: has no [[line]]")
    return Script(
        name, str(table.get("title", name)), direction, str(table.get("queue", "")), int(table.get("repeat", 1)), lines
    )


def _line(name: str, number: int, entry: dict[str, Any]) -> Line:
    kinds = {"agent", "customer", "silence", "hold"} & entry.keys()
    if len(kinds) != 1:
        raise ConfigError(f"script {name}, line {number}: needs exactly one of agent, customer, silence, hold")
    kind = kinds.pop()
    who: Who | None = "agent" if kind == "agent" else "customer" if kind == "customer" else None
    if who is not None:
        return Say(who, str(entry[kind]), float(entry.get("after", DEFAULT_GAP_S)))
    seconds = float(entry[kind])
    if seconds <= 0:
        raise ConfigError(f"script {name}, line {number}: {kind} must be longer than 0 s")
    return Silence(seconds) if kind == "silence" else Hold(seconds)
