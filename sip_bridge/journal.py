"""The journal of confirmed calls: what a restarted control process knows of the calls that are still up.

A log of key and value in a memory file that the keeper holds. The file begins with a head (start of the live region,
its generation); each line is `generation {"k": key, "v": value or null}`. Compaction writes the live values elsewhere
in the file and switches the head in one write, so a death at any point leaves a readable journal.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any, Final, Protocol

COMPACT_AT: Final = 1 << 20
"""Bytes of dead lines that start a compaction: about 300 changes of calls, 10 ms to rewrite 1000 calls."""

_compact: Final = json.JSONEncoder(separators=(",", ":")).encode
_HEAD: Final = struct.Struct("<8sQQ")
_MAGIC: Final = b"lmjourn1"


class Store(Protocol):
    """A file that is read and written at offsets."""

    def read(self, offset: int, size: int) -> bytes:
        """Return at most `size` bytes from `offset`."""

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`."""

    def size(self) -> int:
        """Return the length of the file in bytes."""

    def cut(self, size: int) -> None:
        """Cut the file to `size` bytes."""


class DescriptorStore:
    """The store over an open file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, offset: int, size: int) -> bytes:
        """Return at most `size` bytes from `offset`."""
        return os.pread(self._descriptor, size, offset)

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`."""
        view = memoryview(data)
        while view:
            done = os.pwrite(self._descriptor, view, offset)
            offset, view = offset + done, view[done:]

    def size(self) -> int:
        """Return the length of the file in bytes."""
        return os.fstat(self._descriptor).st_size

    def cut(self, size: int) -> None:
        """Cut the file to `size` bytes."""
        os.ftruncate(self._descriptor, size)


class Journal:
    """Keeps the newest value of each key; what was kept before is in `values` from the start."""

    def __init__(self, store: Store, compact_at: int = COMPACT_AT) -> None:
        self.values: dict[str, Any] = {}
        self._store = store
        self._compact_at = compact_at
        self._sizes: dict[str, int] = {}
        self._start = _HEAD.size
        self._generation = 1
        self._end = self._start
        self._open()

    def put(self, key: str, value: Any) -> None:
        """Keep `value`, JSON-ready data that is not changed afterwards, under `key`; write it if it is a new one."""
        if key in self.values and self.values[key] == value:
            return
        self.values[key] = value
        self._sizes[key] = self._append(self._line(key, value))
        self._tidy()

    def drop(self, key: str) -> None:
        """Forget `key`; a key that is not kept is no error."""
        if key in self.values:
            del self.values[key]
            del self._sizes[key]
            self._append(self._line(key, None))
            self._tidy()

    def _open(self) -> None:
        head = self._store.read(0, _HEAD.size)
        if len(head) < _HEAD.size or not head.startswith(_MAGIC):
            self._store.cut(0)
            self._store.write(0, _HEAD.pack(_MAGIC, self._start, self._generation))
            return
        _, self._start, self._generation = _HEAD.unpack(head)
        self._end = self._start
        data = self._store.read(self._start, max(0, self._store.size() - self._start))
        for line in data.splitlines(keepends=True):
            if not self._replay(line):
                break
            self._end += len(line)
        self._store.cut(self._end)

    def _replay(self, line: bytes) -> bool:
        """Take in one line; False when it belongs to an older generation or was cut by a death."""
        generation, _, text = line.partition(b" ")
        if not line.endswith(b"\n") or generation != str(self._generation).encode():
            return False
        try:
            entry = json.loads(text)
            key, value = entry["k"], entry["v"]
        except (ValueError, KeyError, TypeError):
            return False
        if value is None:
            self.values.pop(key, None)
            self._sizes.pop(key, None)
        else:
            self.values[key] = value
            self._sizes[key] = len(line)
        return True

    def _line(self, key: str, value: Any) -> bytes:
        text = _compact({"k": key, "v": value})
        return f"{self._generation} {text}\n".encode()

    def _append(self, line: bytes) -> int:
        self._store.write(self._end, line)
        self._end += len(line)
        return len(line)

    def _tidy(self) -> None:
        """Rewrite the live values once the dead lines are worth it."""
        live = sum(self._sizes.values()) if self._end - self._start > self._compact_at else self._end
        if self._end - self._start - live <= self._compact_at:
            return
        self._generation += 1
        lines = {key: self._line(key, value) for key, value in self.values.items()}
        data = b"".join(lines.values())
        # Below the live region if it fits there, else behind it: never over lines that may still be needed.
        start = _HEAD.size if _HEAD.size + len(data) <= self._start else self._end
        self._store.write(start, data)
        self._store.write(0, _HEAD.pack(_MAGIC, start, self._generation))
        self._sizes = {key: len(line) for key, line in lines.items()}
        self._start, self._end = start, start + len(data)
        self._store.cut(self._end)
