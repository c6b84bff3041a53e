"""One line of an audit journal: how it is written, read and hashed (core, no I/O).

A line is one JSON object, ASCII (shown here on two lines):

    {"v":1,"writer":"node-0","seq":7,"at_ms":1760000000000,"kind":"listen.started","fields":{...},
     "prev":"<hash>","hash":"<hash>"}

`hash` is the SHA-256 (hex) of the line's bytes before `,"hash"`; since those bytes hold `prev`, the hash of the entry
before, every line vouches for all lines before it. `docs/api.md` is the document of record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

VERSION: Final = 1
GENESIS: Final = "0" * 64
"""The `prev` of a journal's first entry."""
_TAIL: Final = len(',"hash":"') + 64 + len('"}')
MAX_LINE: Final = 16_384
"""Bytes of one line; an entry describes one act, and a longer one would be a way to fill the disk."""
ANCHOR: Final = "anchor"
"""Kind of the entries that hold the heads of other journals: {"heads": {writer: {"seq": n, "hash": h}}}."""
RECOVERED: Final = "journal.recovered"
"""Kind of the entry written after a damaged tail was quarantined."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry of a journal: its sequence number (0 for none) and its hash."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit entry; `line` is its bytes in the journal, without the newline."""

    writer: str
    seq: int
    at_ms: int
    kind: str
    fields: Mapping[str, Any]
    prev: str
    hash: str
    line: bytes

    @property
    def head(self) -> Head:
        """Return the head of a journal that ends with this entry."""
        return Head(self.seq, self.hash)


@dataclass(frozen=True, slots=True)
class BadLine:
    """Why some bytes are not an entry."""

    reason: str


def compose(writer: str, head: Head, at_ms: int, kind: str, fields: Mapping[str, Any]) -> Entry:
    """Return the entry that follows `head`; raises ValueError if it would be longer than MAX_LINE bytes."""
    body: dict[str, Any] = {
        "v": VERSION,
        "writer": writer,
        "seq": head.seq + 1,
        "at_ms": at_ms,
        "kind": kind,
        "fields": dict(fields),
        "prev": head.hash,
    }
    # ensure_ascii keeps a newline, NUL or bidi control of a caller's header out of the file (log injection).
    covered = json.dumps(body, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode()[:-1]
    digest = hashlib.sha256(covered).hexdigest()
    line = covered + b',"hash":"' + digest.encode() + b'"}'
    if len(line) > MAX_LINE:
        raise ValueError(f"an audit entry of {len(line)} bytes is longer than {MAX_LINE}")
    return Entry(writer, head.seq + 1, at_ms, kind, dict(fields), head.hash, digest, line)


def parse(line: bytes) -> Entry | BadLine:
    """Read one line and check its own hash; never raises on bad bytes."""
    if len(line) > MAX_LINE:
        return BadLine("longer than a line may be")
    digest = hashlib.sha256(line[:-_TAIL]).hexdigest() if len(line) > _TAIL else ""
    if line[-_TAIL:] != b',"hash":"' + digest.encode() + b'"}':
        return BadLine("hash does not match the line")
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return BadLine("not JSON")
    return _typed(body, line) or BadLine("members missing or of the wrong type")


def _typed(body: Any, line: bytes) -> Entry | None:
    if not isinstance(body, dict) or body.get("v") != VERSION:
        return None
    texts = [body.get(name) for name in ("writer", "kind", "prev", "hash")]
    numbers = [body.get(name) for name in ("seq", "at_ms")]
    fields = body.get("fields")
    if not isinstance(fields, dict) or not all(isinstance(text, str) for text in texts):
        return None
    if not all(type(number) is int and number >= 0 for number in numbers):
        return None
    writer, kind, prev, digest = (str(text) for text in texts)
    return Entry(writer, body["seq"], body["at_ms"], kind, fields, prev, digest, line)


def follows(entry: Entry, head: Head) -> str:
    """Return "" if `entry` comes right after `head`, else what is wrong."""
    if entry.seq != head.seq + 1:
        return f"sequence number {entry.seq} follows {head.seq}"
    if entry.prev != head.hash:
        return "does not chain to the entry before"
    return ""
