from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from livemon import config as configuration
from livemon import serve as serving
from livemon.bus.hub import Hub
from livemon.bus.local import LocalBus
from livemon.config import Config, ServerSettings
from livemon.errors import ConfigError
from livemon.serve import Backoff, Child, Supervisor, children_of
from sip_bridge.tasks import Tasks

SLEEPER = "import time; time.sleep(60)"


def test_the_pause_doubles_to_a_limit_and_starts_small_again_after_a_steady_life() -> None:
    backoff = Backoff()
    assert [backoff.after(1.0) for _ in range(9)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert backoff.after(10.0) == 0.1


def test_one_node_and_one_web_process(tmp_path: Path) -> None:
    node, web = children_of(Config(), tmp_path / "x.toml")
    assert node.command[1:] == ("-m", "livemon.node", "--config", str(tmp_path / "x.toml"))
    assert (node.name, node.beat) == ("node-0", "node.node-0")
    assert web.command[1:3] == ("-m", "livemon.api")


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def supervised(
    folder: Path, *children: Child, hang: float = 10.0, spare_after: float = 60.0
) -> AsyncIterator[Supervisor]:
    hub, bus = Hub(folder / "bus.sock"), LocalBus(folder / "bus.sock", "serve")
    made = Supervisor(children, hub, bus, hang=hang, spare_after=spare_after)
    tasks = Tasks("test")
    running = tasks.start(made.run(), "supervisor")
    try:
        yield made
    finally:
        made.stop.set()
        await running


@pytest.mark.slow
async def test_a_killed_child_is_started_again_and_all_end_at_stop(tmp_path: Path) -> None:
    async with supervised(tmp_path, Child("a", (sys.executable, "-c", SLEEPER))) as made:
        await until(lambda: made.pid("a") is not None)
        first = made.pid("a")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: made.pid("a") not in (None, first))
        assert made.restarts == {"a": 1}
        last = made.pid("a")
    assert made.status == 0
    assert last is not None
    with pytest.raises(ProcessLookupError):
        os.kill(last, 0)
    assert not (tmp_path / "bus.sock").exists()


@pytest.mark.slow
async def test_a_spare_takes_over_and_is_replaced(tmp_path: Path) -> None:
    # Says which of the two it is by the file it makes: the spare only after it was told.
    program = (
        "import os, pathlib, sys, time\n"
        "if '--spare' in sys.argv and sys.stdin.buffer.readline() != b'go\\n': raise SystemExit(0)\n"
        f"pathlib.Path({str(tmp_path)!r}, f'runs.{{os.getpid()}}').touch()\n"
        "time.sleep(60)\n"
    )
    child = Child("a", (sys.executable, "-c", program), spare=True)
    async with supervised(tmp_path, child, spare_after=0.2) as made:
        await until(lambda: made.spare("a") is not None)
        first, spare = made.pid("a"), made.spare("a")
        assert first is not None and spare is not None
        await until((tmp_path / f"runs.{first}").exists)
        assert not (tmp_path / f"runs.{spare}").exists()
        os.kill(first, signal.SIGKILL)
        await until(lambda: made.pid("a") == spare)
        await until((tmp_path / f"runs.{spare}").exists)
        await until(lambda: made.spare("a") not in (None, spare))
        last = made.spare("a")
        # A spare that has died is not waited for.
        assert last is not None
        os.kill(last, signal.SIGKILL)
        await until(lambda: made.spare("a") is None)
        os.kill(spare, signal.SIGKILL)
        await until(lambda: made.pid("a") not in (None, spare))
        await until(lambda: made.spare("a") is not None)
        pids = [made.pid("a"), made.spare("a")]
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.slow
async def test_a_child_with_wrong_settings_ends_everything(tmp_path: Path) -> None:
    wrong = Child("a", (sys.executable, "-c", "raise SystemExit(2)"))
    async with supervised(tmp_path, wrong, Child("b", (sys.executable, "-c", SLEEPER))) as made:
        await until(made.stop.is_set)
    assert made.status == 2


@pytest.mark.slow
async def test_a_child_that_stops_beating_is_killed(tmp_path: Path) -> None:
    async with supervised(tmp_path, Child("a", (sys.executable, "-c", SLEEPER), "node.a"), hang=0.5) as made:
        bus = LocalBus(tmp_path / "bus.sock", "a")
        assert await bus.start()
        await until(lambda: made.pid("a") is not None)
        for _ in range(8):
            bus.publish("node.a", b"")
            await asyncio.sleep(0.1)
        assert made.restarts == {}
        await until(lambda: made.restarts == {"a": 1})
        await bus.close()


@pytest.mark.slow
async def test_a_child_that_ignores_the_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "GRACE", 0.3)
    stubborn = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"open({str(tmp_path / 'up')!r}, 'w').close(); time.sleep(60)"
    )
    async with supervised(tmp_path, Child("a", (sys.executable, "-c", stubborn))) as made:
        await until((tmp_path / "up").exists)
    assert made.pid("a") is None


def test_serve_makes_the_key_and_the_settings_for_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    async def run(config: Config, path: Path) -> int:
        seen.append(path)
        return 0

    monkeypatch.setattr(serving, "_serve", run)
    monkeypatch.setattr("livemon.log.configure", lambda process, level: None)
    monkeypatch.setattr(os, "umask", lambda mask: 0)
    config = Config(server=ServerSettings(data_dir=tmp_path / "d"))
    assert serving.serve(config) == 0
    assert configuration.load(seen[0]) == config
    assert (tmp_path / "d" / "link.key").exists()
    assert serving.serve(config, tmp_path / "own.toml") == 0
    assert seen[1] == tmp_path / "own.toml"


def test_a_data_directory_that_cannot_be_used_is_a_config_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livemon.log.configure", lambda process, level: None)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"server\.data_dir"):
        serving.serve(Config(server=ServerSettings(data_dir=tmp_path / "file" / "d")))
