from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from livemon.calls.book import KeptCall
from livemon.node import checkpoint
from livemon.node.checkpoint import MAX_AGE_MS, Checkpoint
from livemon.node.line import KeptLine

SAVED = Checkpoint(
    1,
    "node-0",
    1_000_000,
    (KeptLine("b1", 1, 2, 3, b"\x00\xff"),),
    (KeptCall("i1", "b1", 1, 2, None, 0, "talking", ""),),
)


def test_written_and_read_again_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "d" / "node-0.checkpoint"
    checkpoint.write(path, SAVED)
    checkpoint.write(path, SAVED)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert checkpoint.read(path, "node-0", 1_000_500) == SAVED
    assert [item.name for item in path.parent.iterdir()] == ["node-0.checkpoint"]


@pytest.mark.parametrize(
    ("node", "now_ms"), [("node-1", 1_000_500), ("node-0", 1_000_001 + MAX_AGE_MS), ("node-0", 999_999)]
)
def test_another_nodes_or_an_old_one_is_not_continued(node: str, now_ms: int, tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "c", SAVED)
    assert checkpoint.read(tmp_path / "c", node, now_ms) is None


@pytest.mark.parametrize("content", [b"", b"\xc1", msgspec.msgpack.encode(SAVED)[:-3]])
def test_a_damaged_file_is_ignored(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(content)
    assert checkpoint.read(tmp_path / "c", "node-0", 1_000_500) is None


def test_another_version_or_none_is_ignored(tmp_path: Path) -> None:
    assert checkpoint.read(tmp_path / "none", "node-0", 0) is None
    checkpoint.write(tmp_path / "c", msgspec.structs.replace(SAVED, version=99))
    assert checkpoint.read(tmp_path / "c", "node-0", 1_000_500) is None
