"""The append-only journal of one writer: an entry is on the disk before `append` returns."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import threading
from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from livemon.audit.entry import ANCHOR, GENESIS, RECOVERED, Entry, Head, compose, parse
from livemon.errors import Refused

log = logging.getLogger(__name__)

_HEAD_BYTES: Final = 96
"""Fixed length of the head file's only line, so that one pwrite replaces it whole: 20 digits, a space, 64 hex."""
_PULL_BYTES: Final = 1 << 20
"""Bytes of lines handed out at once; keeps a bus message far below its limit."""


def _utc_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


class Journal:
    """An append-only, hash-chained file of one JSON line per entry, and beside it `<path>.head` with the newest hash.

    Safe to use from several threads; `append` blocks for one fsync, so an event loop calls it with `asyncio.to_thread`.
    A second Journal on the same file, in this or another process, is refused.
    """

    def __init__(self, path: Path, writer: str, now_ms: Callable[[], int] = _utc_ms) -> None:
        self.path = path
        self.writer = writer
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._fd = -1
        self._head_fd = -1
        self._head = Head(0, GENESIS)
        self._starts = array("Q")
        self._seqs = array("Q")
        self._end = 0
        with self._lock:
            self._open()

    @property
    def head(self) -> Head:
        """Return the sequence number and hash of the newest entry."""
        return self._head

    def append(self, kind: str, fields: Mapping[str, Any]) -> Entry:
        """Write one entry and return it once it is on the disk; raises Refused `audit_unavailable` when it cannot."""
        with self._lock:
            if self._fd < 0:
                self._open()
            return self._append(kind, fields)

    def anchor(self, other_heads: Mapping[str, Head]) -> Entry:
        """Write the newest heads of other writers' journals, so that neither can be rewritten alone."""
        heads = {
            writer: {"seq": head.seq, "hash": head.hash}
            for writer, head in sorted(other_heads.items())
            if writer != self.writer
        }
        return self.append(ANCHOR, {"heads": heads})

    def lines_after(self, seq: int, limit: int = 500) -> tuple[bytes, ...]:
        """Return at most `limit` lines (and 1 MiB) that follow sequence number `seq`, as they stand in the file."""
        with self._lock:
            first = bisect_right(self._seqs, max(0, seq))
            if first >= len(self._starts) or limit <= 0:
                return ()
            last = min(len(self._starts), first + limit)
            start = self._starts[first]
            end = self._starts[last] if last < len(self._starts) else self._end
            data = os.pread(self._fd, min(end - start, _PULL_BYTES), start)
        return tuple(data[: data.rfind(b"\n")].split(b"\n")) if b"\n" in data else ()

    def close(self) -> None:
        """Release the file; the journal can be opened again."""
        with self._lock:
            self._close()

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # 0600: the journal names who was listened to.
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._head_fd = os.open(f"{self.path}.head", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _sync_directory(self.path.parent)
            data = _read_all(self._fd)
            damage = self._scan(data)
            if damage:
                self._quarantine(damage)
        except OSError as error:
            self._close()
            raise Refused("audit_unavailable", f"journal {self.path.name}: {error.strerror}", 503) from error

    def _scan(self, data: bytes) -> bytes:
        """Index the lines of the file; return the bytes after the last good line."""
        self._starts = array("Q")
        self._seqs = array("Q")
        self._head = Head(0, GENESIS)
        self._end = 0
        starts: list[int] = []
        at = 0
        for line in data.split(b"\n")[:-1]:
            starts.append(at)
            at += len(line) + 1
            entry = parse(line)
            if isinstance(entry, Entry) and entry.writer == self.writer:
                # A bad line in the middle is left as found: verification reports it, the chain goes on from here.
                self._head, self._end = entry.head, at
                self._starts.extend(starts)
                self._seqs.extend([entry.seq - 1] * (len(starts) - 1) + [entry.seq])
                starts = []
        return data[self._end :]

    def _quarantine(self, damage: bytes) -> None:
        # A crash inside write() leaves part of a line. It was never acknowledged, so nobody was heard on its
        # strength; it is kept aside for whoever wants to look, and the chain says that it happened.
        aside = self.path.with_name(f"{self.path.name}.quarantine")
        with aside.open("ab") as file:
            file.write(damage + b"\n")
            os.fsync(file.fileno())
        os.ftruncate(self._fd, self._end)
        known = read_head(Path(f"{self.path}.head"))
        log.warning("journal %s: %d bytes of a damaged tail quarantined", self.path.name, len(damage))
        self._append(
            RECOVERED,
            {
                "bytes": len(damage),
                "sha256": hashlib.sha256(damage).hexdigest(),
                "known_seq": known.seq if known else 0,
                "known_hash": known.hash if known else GENESIS,
            },
        )

    def _append(self, kind: str, fields: Mapping[str, Any]) -> Entry:
        entry = compose(self.writer, self._head, self._now_ms(), kind, fields)
        try:
            self._write(entry.line + b"\n")
        except OSError as error:
            log.error("journal %s: %s", self.path.name, error.strerror)
            # What an fsync that failed has left on the disk is unknown: start over from what can be read.
            self._close()
            raise Refused("audit_unavailable", f"journal {self.path.name}: {error.strerror}", 503) from error
        self._starts.append(self._end)
        self._seqs.append(entry.seq)
        self._end += len(entry.line) + 1
        self._head = entry.head
        self._note_head()
        return entry

    def _write(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._fd, data[written:], self._end + written)
            os.fsync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._end)
            raise

    def _note_head(self) -> None:
        # Not synced: after a crash it may lag behind the journal, never lead it; a lead means lines were removed.
        text = f"{self._head.seq} {self._head.hash}".ljust(_HEAD_BYTES - 1) + "\n"
        try:
            os.pwrite(self._head_fd, text.encode(), 0)
        except OSError as error:
            log.warning("journal %s: head file: %s", self.path.name, error.strerror)

    def _close(self) -> None:
        for fd in (self._fd, self._head_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._head_fd = -1


def read_head(path: Path) -> Head | None:
    """Return the head noted in a `.head` file, or None when there is none that can be read."""
    try:
        number, digest = path.read_bytes()[:_HEAD_BYTES].decode("ascii").split()
        return Head(int(number), digest)
    except (OSError, ValueError):
        return None


def _read_all(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    parts: list[bytes] = []
    at = 0
    while at < size and (part := os.pread(fd, min(size - at, 1 << 24), at)):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def _sync_directory(path: Path) -> None:
    # A new file is only there after a crash if its directory entry is.
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
