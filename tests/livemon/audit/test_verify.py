from __future__ import annotations

from pathlib import Path

import pytest

from livemon.audit.entry import GENESIS, Head, compose
from livemon.audit.journal import Journal
from livemon.audit.verify import verify, verify_lines


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two journals that anchored each other: node-0 with 6 entries, web with 4."""
    node, web = Journal(tmp_path / "node-0.jsonl", "node-0"), Journal(tmp_path / "web.jsonl", "web")
    for n in range(5):
        node.append("listen.started", {"n": n})
    for n in range(3):
        web.append("login", {"n": n})
    web.anchor({"node-0": node.head})
    node.anchor({"web": web.head})
    for journal in (node, web):
        journal.close()
    return node.path, web.path


def _ids(*paths: Path) -> list[tuple[str, int, str]]:
    return [(problem.journal, problem.line, problem.id) for problem in verify(paths).problems]


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_untouched_journals_are_right(pair: tuple[Path, Path]) -> None:
    report = verify(pair)
    assert report.ok and report.anchors == 2
    assert [(j.writer, j.entries) for j in report.journals] == [("node-0", 6), ("web", 4)]


def test_every_single_changed_byte_is_found(pair: tuple[Path, Path]) -> None:
    node, _ = pair
    good = node.read_bytes()
    for position in range(0, len(good), 7):
        data = bytearray(good)
        data[position] ^= 1
        node.write_bytes(bytes(data))
        assert not verify([node]).ok, position


@pytest.mark.parametrize("line", range(6))
def test_a_deleted_line_is_found(pair: tuple[Path, Path], line: int) -> None:
    node, _ = pair
    lines = _lines(node)
    del lines[line]
    node.write_bytes(b"".join(lines))
    assert not verify([node]).ok


def test_exchanged_lines_are_found(pair: tuple[Path, Path]) -> None:
    node, _ = pair
    lines = _lines(node)
    lines[1], lines[2] = lines[2], lines[1]
    node.write_bytes(b"".join(lines))
    assert {problem.id for problem in verify([node]).problems} == {"broken_chain"}


def test_a_chain_rewritten_whole_is_found_through_the_other_journal(pair: tuple[Path, Path]) -> None:
    node, web = pair
    head, forged = Head(0, GENESIS), b""
    for n in range(6):
        entry = compose("node-0", head, 1, "listen.started", {"n": n + 100})
        head, forged = entry.head, forged + entry.line + b"\n"
    node.write_bytes(forged)
    Path(f"{node}.head").unlink()
    assert verify([node]).ok
    assert _ids(node, web) == [("node-0.jsonl", 5, "anchor_mismatch")]


def test_an_end_that_was_cut_off_is_found_through_the_other_journal(pair: tuple[Path, Path]) -> None:
    node, web = pair
    node.write_bytes(b"".join(_lines(node)[:3]))
    Path(f"{node}.head").unlink()
    assert verify([node]).ok
    assert _ids(node, web) == [("node-0.jsonl", 3, "missing_end")]


def test_an_end_that_was_cut_off_is_found_through_the_head_file(pair: tuple[Path, Path]) -> None:
    node, _ = pair
    node.write_bytes(b"".join(_lines(node)[:3]))
    assert _ids(node) == [("node-0.jsonl", 3, "missing_end")]


def test_a_head_file_that_vouches_for_another_entry_is_found(pair: tuple[Path, Path]) -> None:
    node, _ = pair
    Path(f"{node}.head").write_text(f"2 {'e' * 64}\n")
    assert _ids(node) == [("node-0.jsonl", 2, "anchor_mismatch")]


def test_a_cut_line_a_missing_file_and_a_foreign_writer_are_named(pair: tuple[Path, Path]) -> None:
    node, web = pair
    foreign = _lines(web)[0]
    node.write_bytes(b"".join(_lines(node)[:1]) + foreign + b"half a line")
    Path(f"{node}.head").unlink()
    assert _ids(node) == [("node-0.jsonl", 2, "wrong_writer"), ("node-0.jsonl", 3, "cut_line")]
    assert _ids(node.with_name("gone.jsonl")) == [("gone.jsonl", 0, "unreadable")]


def test_lines_from_the_store_are_checked_the_same_way(pair: tuple[Path, Path]) -> None:
    node, web = (path.read_bytes().splitlines() for path in pair)
    assert verify_lines({"node-0": node, "web": web}).anchors == 2
    assert not verify_lines({"node-0": node[:4], "web": web}).ok


def test_a_malformed_anchor_is_ignored() -> None:
    head, lines = Head(0, GENESIS), []
    for heads in (None, {"web": None}, {"web": {"seq": "1", "hash": ""}}, {"web": {"seq": 0, "hash": ""}}):
        entry = compose("node-0", head, 0, "anchor", {"heads": heads})
        head = entry.head
        lines.append(entry.line)
    report = verify_lines({"node-0": lines, "web": []})
    assert report.ok and report.anchors == 0
