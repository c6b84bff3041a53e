from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from livemon.audit.entry import GENESIS, Entry, Head, parse
from livemon.audit.journal import Journal, read_head
from livemon.audit.verify import verify
from livemon.errors import Refused


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "node-0.jsonl"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path, "node-0", lambda: 5000)
    yield journal
    journal.close()


def test_entries_are_on_the_disk_when_append_returns(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    write, sync = os.pwrite, os.fsync

    def noted_write(fd: int, data: bytes, at: int) -> int:
        order.append("write")
        return write(fd, data, at)

    def noted_sync(fd: int) -> None:
        order.append("sync")
        sync(fd)

    monkeypatch.setattr(os, "pwrite", noted_write)
    monkeypatch.setattr(os, "fsync", noted_sync)
    entry = journal.append("listen.started", {"call": "c1"})
    assert order[:2] == ["write", "sync"]
    assert journal.path.read_bytes() == entry.line + b"\n"
    assert entry.at_ms == 5000 and entry.seq == 1 and entry.prev == GENESIS


def test_the_chain_goes_on_after_reopening(path: Path) -> None:
    first = Journal(path, "node-0")
    one = first.append("a", {})
    first.close()
    second = Journal(path, "node-0")
    two = second.append("b", {})
    second.close()
    assert (two.seq, two.prev) == (2, one.hash)
    assert verify([path]).ok


def test_the_file_is_for_the_owner_alone(journal: Journal) -> None:
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_a_second_writer_is_refused(journal: Journal) -> None:
    with pytest.raises(Refused) as refused:
        Journal(journal.path, "node-0")
    assert refused.value.id == "audit_unavailable" and refused.value.status == 503


@pytest.mark.parametrize("cut", [1, 20, 150])
def test_a_cut_last_line_is_quarantined_and_the_chain_says_so(path: Path, cut: int) -> None:
    journal = Journal(path, "node-0")
    kept = journal.append("a", {})
    journal.close()
    whole = path.read_bytes()
    half = whole[:-1].replace(b'"seq":1', b'"seq":2')[:-cut]
    path.write_bytes(whole + half)
    journal = Journal(path, "node-0")
    after = journal.append("b", {})
    lines = journal.lines_after(0)
    journal.close()
    recovered = parse(lines[1])
    assert isinstance(recovered, Entry) and recovered.kind == "journal.recovered"
    assert recovered.prev == kept.hash and recovered.fields["bytes"] == len(half)
    assert after.seq == 3
    assert path.with_name("node-0.jsonl.quarantine").read_bytes() == half + b"\n"
    report = verify([path])
    assert report.ok and report.journals[0].recovered == 1


def test_an_acknowledged_line_that_is_gone_is_reported_as_lost(path: Path) -> None:
    journal = Journal(path, "node-0")
    for kind in "abc":
        journal.append(kind, {})
    journal.close()
    path.write_bytes(path.read_bytes()[:-30])
    Journal(path, "node-0").close()
    assert [problem.id for problem in verify([path]).problems] == ["lost_entries"]


def test_a_full_disk_refuses_and_leaves_no_half_line(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.append("a", {})
    before = journal.path.read_bytes()
    write = os.pwrite

    def full(fd: int, data: bytes, at: int) -> int:
        if at > len(before):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data[:80], at)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(Refused, match="No space left"):
        journal.append("b", {})
    assert journal.path.read_bytes() == before
    monkeypatch.undo()
    assert journal.append("c", {}).seq == 2
    assert verify([journal.path]).ok


def test_a_directory_that_cannot_be_written_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused):
        Journal(tmp_path / "file" / "node-0.jsonl", "node-0")


def test_the_head_file_names_the_newest_entry(journal: Journal) -> None:
    entry = journal.append("a", {})
    assert read_head(Path(f"{journal.path}.head")) == entry.head == journal.head
    assert read_head(journal.path) is None
    assert read_head(journal.path.with_name("none")) is None


def test_a_head_file_that_cannot_be_written_stops_nothing(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    main = os.fstat(journal._fd).st_ino

    def only_main(fd: int, data: bytes, at: int) -> int:
        if os.fstat(fd).st_ino != main:
            raise OSError(errno.EIO, "Input/output error")
        return write(fd, data, at)

    monkeypatch.setattr(os, "pwrite", only_main)
    assert journal.append("a", {}).seq == 1


def test_anchors_hold_the_heads_of_others_only(journal: Journal) -> None:
    entry = journal.anchor({"web": Head(7, "a" * 64), "node-0": Head(1, "b" * 64)})
    assert entry.kind == "anchor"
    assert entry.fields == {"heads": {"web": {"seq": 7, "hash": "a" * 64}}}


def test_lines_are_handed_out_by_sequence_number(journal: Journal) -> None:
    entries = [journal.append("k", {"n": n}) for n in range(10)]
    assert journal.lines_after(0) == tuple(entry.line for entry in entries)
    assert journal.lines_after(7) == tuple(entry.line for entry in entries[7:])
    assert journal.lines_after(2, limit=3) == tuple(entry.line for entry in entries[2:5])
    assert journal.lines_after(10) == () == journal.lines_after(0, limit=0)


def test_a_bad_line_in_the_middle_is_left_and_lines_still_follow_the_numbers(path: Path) -> None:
    journal = Journal(path, "node-0")
    entries = [journal.append("k", {"n": n}) for n in range(4)]
    journal.close()
    path.write_bytes(path.read_bytes().replace(b'"n":1', b'"n":9'))
    journal = Journal(path, "node-0")
    assert journal.lines_after(2) == tuple(entry.line for entry in entries[2:])
    journal.close()
    assert [problem.id for problem in verify([path]).problems] == ["bad_line", "broken_chain"]


def test_threads_do_not_break_the_chain(journal: Journal) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: journal.append("k", {"n": n}), range(40)))
    assert journal.head.seq == 40
    assert verify([journal.path]).ok
