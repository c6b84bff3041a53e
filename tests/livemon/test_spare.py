from __future__ import annotations

import argparse
import io

import pytest

from livemon import spare


def taken(monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: bytes) -> bool:
    parser = argparse.ArgumentParser()
    spare.add_argument(parser)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(said)))
    return spare.taken(parser.parse_args(arguments))


def test_without_the_flag_a_process_runs_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert taken(monkeypatch, [], b"")


def test_a_spare_runs_when_it_is_told_and_never_when_the_supervisor_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert taken(monkeypatch, [spare.FLAG], spare.GO)
    assert not taken(monkeypatch, [spare.FLAG], b"")
