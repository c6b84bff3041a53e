"""Finds out whether journals were tampered with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from livemon.audit.entry import ANCHOR, GENESIS, RECOVERED, BadLine, Entry, Head, follows, parse
from livemon.audit.journal import read_head

ProblemId = Literal[
    "unreadable",
    "bad_line",
    "broken_chain",
    "cut_line",
    "missing_end",
    "wrong_writer",
    "anchor_mismatch",
    "lost_entries",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """One sign of tampering or loss: in which journal, at which line (from 1), what, in words."""

    journal: str
    line: int
    id: ProblemId
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was read of one journal."""

    journal: str
    writer: str
    entries: int
    head: Head
    recovered: int
    """How many damaged tails were quarantined in its life."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a verification: `ok` when there is no problem."""

    journals: tuple[Checked, ...]
    problems: tuple[Problem, ...]
    anchors: int
    """How many cross anchors could be checked."""

    @property
    def ok(self) -> bool:
        """Return whether nothing was found."""
        return not self.problems


@dataclass(slots=True)
class _Reading:
    name: str
    writer: str = ""
    head: Head = field(default_factory=lambda: Head(0, GENESIS))
    entries: int = 0
    recovered: int = 0
    hashes: dict[int, str] = field(default_factory=dict)
    anchors: list[tuple[int, str, Head]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, line: int, id_: ProblemId, text: str) -> None:
        self.problems.append(Problem(self.name, line, id_, text))


def verify(paths: Iterable[Path]) -> Report:
    """Check every line, chain, head file and cross anchor of the journals at `paths`."""
    return _conclude([_read_file(path) for path in paths])


def verify_lines(journals: Mapping[str, Iterable[bytes]]) -> Report:
    """Check journals given as lines by writer name, as the store holds them; there are no head files then."""
    readings = []
    for name, lines in journals.items():
        reading = _Reading(name)
        for number, line in enumerate(lines, start=1):
            _read_line(reading, number, line)
        readings.append(reading)
    return _conclude(readings)


def _conclude(readings: list[_Reading]) -> Report:
    by_writer = {reading.writer: reading for reading in readings if reading.writer}
    checked = sum(_check_anchors(reading, by_writer) for reading in readings)
    return Report(
        tuple(Checked(r.name, r.writer, r.entries, r.head, r.recovered) for r in readings),
        tuple(problem for reading in readings for problem in reading.problems),
        checked,
    )


def _read_file(path: Path) -> _Reading:
    reading = _Reading(path.name)
    try:
        data = path.read_bytes()
    except OSError as error:
        reading.problem(0, "unreadable", error.strerror or "cannot be read")
        return reading
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        _read_line(reading, number, line)
    if lines[-1]:
        reading.problem(len(lines), "cut_line", f"{len(lines[-1])} bytes after the last whole line")
    _check_head(reading, read_head(Path(f"{path}.head")))
    return reading


def _read_line(reading: _Reading, number: int, line: bytes) -> None:
    entry = parse(line)
    if isinstance(entry, BadLine):
        reading.problem(number, "bad_line", entry.reason)
        return
    reading.writer = reading.writer or entry.writer
    if entry.writer != reading.writer:
        reading.problem(number, "wrong_writer", f"written by {entry.writer}, not {reading.writer}")
    elif wrong := follows(entry, reading.head):
        reading.problem(number, "broken_chain", wrong)
    reading.head = entry.head
    reading.entries += 1
    reading.hashes[entry.seq] = entry.hash
    _note(reading, number, entry)


def _note(reading: _Reading, number: int, entry: Entry) -> None:
    if entry.kind == RECOVERED:
        reading.recovered += 1
        known = entry.fields.get("known_seq")
        if isinstance(known, int) and known >= entry.seq:
            reading.problem(number, "lost_entries", f"entries {entry.seq} to {known} were written and are gone")
    elif entry.kind == ANCHOR:
        heads = entry.fields.get("heads")
        for writer, head in heads.items() if isinstance(heads, dict) else ():
            if isinstance(head, dict) and isinstance(head.get("seq"), int) and isinstance(head.get("hash"), str):
                reading.anchors.append((number, str(writer), Head(head["seq"], head["hash"])))


def _check_head(reading: _Reading, noted: Head | None) -> None:
    if noted is None:
        return
    if noted.seq > reading.head.seq:
        reading.problem(reading.entries, "missing_end", f"ends at {reading.head.seq}, but {noted.seq} was written")
    elif noted.seq and reading.hashes.get(noted.seq) != noted.hash:
        reading.problem(noted.seq, "anchor_mismatch", f"entry {noted.seq} is not the one the head file vouches for")


def _check_anchors(reading: _Reading, by_writer: Mapping[str, _Reading]) -> int:
    checked = 0
    for number, writer, head in reading.anchors:
        other = by_writer.get(writer)
        if other is None or head.seq == 0:
            continue
        checked += 1
        found = other.hashes.get(head.seq)
        if found is None and head.seq > other.head.seq:
            other.problem(
                other.entries, "missing_end", f"ends at {other.head.seq}, but {reading.writer} saw {head.seq}"
            )
        elif found != head.hash:
            other.problem(
                head.seq, "anchor_mismatch", f"entry {head.seq} is not the one {reading.writer} saw ({number})"
            )
    return checked
