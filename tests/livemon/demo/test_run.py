import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from livemon.demo.run import DemoOptions, cache_dir, demo_children, run
from livemon.demo.schedule import Schedule
from livemon.demo.stage import Stage, free_ports
from livemon.errors import ConfigError


def test_every_process_of_the_demo_is_named(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "127.0.0.1", free_ports("127.0.0.1", 0, 1), Schedule(1, 1).agents, tls=False)
    stage.write()
    children = demo_children(stage, DemoOptions(calls=1))
    assert [child.name for child in children] == ["node-0", "web", "bridge", "centre"]


def test_the_cache_is_where_the_system_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "livemon" / "demo"


@pytest.mark.parametrize("calls", [0, 501])
def test_a_number_of_calls_that_cannot_be_is_refused(calls: int) -> None:
    with pytest.raises(ConfigError, match="choose between 1 and 500"):
        run(DemoOptions(calls=calls))


@pytest.mark.slow
def test_the_demo_prints_its_links_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "livemon.cli", "demo", "--calls", "2", "--port", "0", "--duration", "3"]
    env = dict(os.environ, TMPDIR=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"http://127\.0\.0\.1:\d+/enter/\S+", done.stdout)) == 2
    assert list(tmp_path.glob("livemon-demo-*")) == []
