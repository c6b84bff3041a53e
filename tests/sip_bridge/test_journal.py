import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_bridge.journal import DescriptorStore, Journal


class MemoryStore:
    """A file in memory whose writes can be cut off by a death."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.writes_left = -1

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self.data[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        if self.writes_left == 0:
            raise OSError("dead")
        self.writes_left -= 1
        if len(self.data) < offset:
            self.data.extend(bytes(offset - len(self.data)))
        self.data[offset : offset + len(data)] = data

    def size(self) -> int:
        return len(self.data)

    def cut(self, size: int) -> None:
        del self.data[size:]


def test_what_was_kept_is_there_in_the_next_life() -> None:
    store = MemoryStore()
    journal = Journal(store)
    journal.put("call:1", {"a": 1})
    journal.put("call:2", [2])
    journal.put("call:1", {"a": 3})
    journal.drop("call:2")
    journal.drop("call:9")
    assert Journal(store).values == journal.values == {"call:1": {"a": 3}}


def test_a_line_cut_by_a_death_is_not_read_and_is_written_over() -> None:
    store = MemoryStore()
    Journal(store).put("a", "kept")
    store.data += b'1 {"k":"b","v":"' + b"x" * 100
    journal = Journal(store)
    assert journal.values == {"a": "kept"}
    journal.put("c", 1)
    assert Journal(store).values == {"a": "kept", "c": 1}


@pytest.mark.parametrize("line", [b"1 [1]\n", b"1 not json\n", b'1 {"k":"x"}\n', b'7 {"k":"x","v":1}\n', b"1\n"])
def test_foreign_lines_end_the_reading(line: bytes) -> None:
    store = MemoryStore()
    Journal(store).put("a", 1)
    store.data += line
    assert Journal(store).values == {"a": 1}


def test_foreign_files_are_begun_anew() -> None:
    store = MemoryStore()
    store.data += b"something else entirely, longer than a head"
    assert Journal(store).values == {}


def test_compaction_keeps_the_file_small_and_the_values() -> None:
    store = MemoryStore()
    journal = Journal(store, compact_at=500)
    for at in range(300):
        journal.put(f"k{at % 5}", {"at": at})
        assert Journal(store, compact_at=500).values == journal.values
    journal.drop("k0")
    assert Journal(store).values == journal.values
    assert len(store.data) < 1500


def test_a_death_at_any_write_of_a_compaction_loses_nothing() -> None:
    for deadly in range(1, 60):
        store = MemoryStore()
        journal = Journal(store, compact_at=200)
        store.writes_left = deadly
        kept: dict[str, Any] = {}
        try:
            for at in range(60):
                key = f"k{at % 3}"
                before = dict(kept)
                kept[key] = at
                journal.put(key, at)
        except OSError:
            found = Journal(store).values
            # The last put may or may not have been written; nothing else may differ.
            assert found in (kept, before)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.integers() | st.text(max_size=40)), max_size=80))
def test_replaying_equals_keeping(steps: list[tuple[str, Any]]) -> None:
    store = MemoryStore()
    journal = Journal(store, compact_at=100)
    for key, value in steps:
        if value is None:
            journal.drop(key)
        else:
            journal.put(key, value)
    assert Journal(store, compact_at=100).values == journal.values


def test_a_memory_file() -> None:
    descriptor = os.memfd_create("test")
    try:
        journal = Journal(DescriptorStore(descriptor), compact_at=300)
        for at in range(50):
            journal.put("k", {"at": at})
        assert Journal(DescriptorStore(descriptor)).values == {"k": {"at": 49}}
        assert json.dumps(journal.values)
    finally:
        os.close(descriptor)


def test_a_value_that_is_kept_already_is_not_written_again() -> None:
    store = MemoryStore()
    journal = Journal(store)
    journal.put("call:1", {"a": [1]})
    size = store.size()
    journal.put("call:1", {"a": [1]})
    assert store.size() == size
    journal.put("call:1", {"a": [2]})
    assert store.size() > size
    assert Journal(store).values == {"call:1": {"a": [2]}}
