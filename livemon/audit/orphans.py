"""Listening sessions that an earlier life of a writer began and never ended, as its journal tells (core, no I/O)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from livemon.audit.entry import Entry, parse

LOST: Final = "listen.lost"
"""Kind of the entry that closes a session which died with its process."""
_MARK: Final = b'"kind":"listen.'
_COPIED: Final = ("session", "user", "role", "call", "segment", "agent", "team", "queue", "remote")


class Orphans:
    """Reads a journal from its first line to its last; `left` are the sessions without an end."""

    def __init__(self) -> None:
        self.left: dict[str, Mapping[str, Any]] = {}
        """Session id -> the fields of its closing entry."""

    def feed(self, lines: Iterable[bytes]) -> None:
        """Take in the next lines."""
        for line in lines:
            # Most lines are about something else; parsing costs ten times this look.
            if _MARK in line and isinstance(entry := parse(line), Entry):
                self._take(entry)

    def _take(self, entry: Entry) -> None:
        session = entry.fields.get("session")
        if not isinstance(session, str):
            return
        match entry.kind:
            case "listen.start" | "listen.hop":
                fields = {name: entry.fields[name] for name in _COPIED if name in entry.fields}
                self.left[session] = fields | {"mode": "listen"}
            case "listen.mode":
                if session in self.left:
                    self.left[session] = {**self.left[session], "mode": entry.fields.get("mode", "listen")}
            case "listen.stop" | "listen.lost":
                self.left.pop(session, None)
