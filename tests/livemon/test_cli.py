import json
from pathlib import Path

import numpy as np
import pytest

from livemon import cli
from livemon.audit.journal import Journal
from tests.browser import write_wav


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["livemon", *words])
    return cli.main()


def test_audit_verify_says_intact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "node-0.journal"
    journal = Journal(path, "node-0")
    journal.append("listen.start", {"user": "u"})
    journal.append("listen.stop", {"user": "u"})
    journal.close()
    assert run(monkeypatch, "audit", "verify", str(path)) == 0
    assert "intact" in capsys.readouterr().out
    path.write_bytes(path.read_bytes().replace(b'"u"', b'"v"', 1))
    assert run(monkeypatch, "audit", "verify", str(path)) == 1
    assert "NOT INTACT" in capsys.readouterr().out


def test_audit_verify_without_journals_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(f'[server]\ndata_dir = "{tmp_path}"\n')
    assert run(monkeypatch, "audit", "verify", "--config", str(config)) == 2
    assert "no journals found" in capsys.readouterr().err


@pytest.mark.slow
def test_analyse_prints_json_or_a_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.wav", "c.wav"):
        write_wav(tmp_path / name, np.zeros(8 * 8000, dtype=np.int16), 8000)
    words = ["analyse", str(tmp_path / "a.wav"), str(tmp_path / "c.wav")]
    assert run(monkeypatch, *words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["agent"] == []
    assert run(monkeypatch, *words) == 0
    assert "dead-air alerts" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve", "--config", "missing.toml"], "missing.toml cannot be read"),
        (["demo", "--calls", "0"], "--calls 0: choose between"),
        (["analyse", "missing.wav", "missing.wav"], "missing.wav"),
        (["nothing"], "No such command"),
    ],
)
def test_a_mistake_ends_in_one_line(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *words) == 2
    assert said in capsys.readouterr().err
