"""The relay's memory across a restart: one record a leg in a file the keeper holds.

Each record has two halves that are written in turn, each with a checksum, so that a process killed while writing
leaves the older half good. A record that fails both is passed over: one bad record must not cost the other calls.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final, Protocol

HALF: Final = 1024
"""Octets of one half: head and JSON text."""
SLOT: Final = 2 * HALF
_compact: Final = json.JSONEncoder(separators=(",", ":")).encode
_HEAD = struct.Struct("<IIH")  # checksum, generation, length

Record = dict[str, Any]


class Memory(Protocol):
    """A mapped file or a bytearray."""

    def __getitem__(self, key: slice, /) -> bytes | bytearray:
        """Read octets."""

    def __setitem__(self, key: slice, value: bytes, /) -> None:
        """Write octets."""

    def __len__(self) -> int:
        """Return the size."""


class StateFile:
    """Records by slot number."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._generation: dict[int, int] = {}
        self.too_long = 0
        """Records that did not fit and were not written."""

    @property
    def slots(self) -> int:
        """How many records the file can hold."""
        return len(self._memory) // SLOT

    def write(self, slot: int, record: Record | None) -> None:
        """Write a record, or None to empty the slot."""
        text = _compact(record).encode()
        if len(text) > HALF - _HEAD.size:
            self.too_long += 1
            return
        generation = self._generation.get(slot, 0) + 1
        self._generation[slot] = generation
        body = struct.pack("<IH", generation, len(text)) + text
        at = slot * SLOT + (generation & 1) * HALF
        self._memory[at : at + 4 + len(body)] = struct.pack("<I", zlib.crc32(body)) + body

    def records(self) -> Iterator[tuple[int, Record]]:
        """Yield what can be read of an earlier life, by slot, and go on from its generations."""
        for slot in range(self.slots):
            halves = [half for half in (self._half(slot, 0), self._half(slot, 1)) if half is not None]
            if halves:
                generation, record = max(halves, key=lambda half: half[0])
                self._generation[slot] = generation
                if isinstance(record, dict):
                    yield slot, record

    def _half(self, slot: int, which: int) -> tuple[int, Any] | None:
        at = slot * SLOT + which * HALF
        half = bytes(self._memory[at : at + HALF])
        checksum, generation, length = _HEAD.unpack_from(half)
        body = half[4 : _HEAD.size + length]
        if not length or zlib.crc32(body) != checksum:
            return None
        return generation, json.loads(body[_HEAD.size - 4 :])
