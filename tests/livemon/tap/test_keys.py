from __future__ import annotations

import stat
from pathlib import Path

import pytest

from livemon.errors import ConfigError
from livemon.tap.keys import LinkKeys, ensure_key_file

KEY, OTHER = "k" * 32, "o" * 32


@pytest.mark.parametrize(
    ("header", "good"),
    [
        (f"Bearer {KEY}", True),
        (f"bearer  {OTHER} ", True),
        (f"Bearer {KEY}x", False),
        (f"Basic {KEY}", False),
        ("Bearer ", False),
        ("Bearer \u00e9", False),
        (KEY, False),
        (None, False),
    ],
)
def test_accepts(header: str | None, good: bool, tmp_path: Path) -> None:
    (tmp_path / "k").write_text(f"# comment\n{KEY}\n\n{OTHER}\n")
    assert LinkKeys.read(tmp_path / "k").accepts(header) is good


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"short\n", b"\xff" * 40])
def test_a_useless_key_file_is_a_config_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(content)
    with pytest.raises(ConfigError, match="openssl rand -hex 32"):
        LinkKeys.read(tmp_path / "k")


def test_a_key_file_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "link.key"
    ensure_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = path.read_text().strip()
    assert LinkKeys.read(path).accepts(f"Bearer {key}")
    ensure_key_file(path)
    assert path.read_text().strip() == key
