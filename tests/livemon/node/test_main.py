"""The command line of `python -m livemon.node`; the process itself is run by tests/behaviours."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from livemon.bus.hub import Hub
from livemon.config import Config, NodeSettings, ServerSettings
from livemon.node import __main__ as command
from livemon.node.app import Node
from tests.bridges import KEY


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livemon.log.configure", lambda process, level: None)


def test_a_wrong_setting_ends_with_status_2_and_says_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.toml").write_text("[server]\nprot = 1\n")
    assert command.main(["--config", str(tmp_path / "x.toml")]) == 2
    assert "server.prot is no setting" in capsys.readouterr().err


def test_a_taken_port_is_a_wrong_setting_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "link.key").write_text(KEY)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "x.toml").write_text(
            f'[server]\ndata_dir = "{tmp_path}"\n[node]\nrtc_host = "127.0.0.1"\nrtc_port = 0\nfallback_port = {port}\n'
        )
        assert command.main(["--config", str(tmp_path / "x.toml"), "--name", "other"]) == 2
    assert "node.fallback_port" in capsys.readouterr().err
    assert (tmp_path / "audit" / "other.journal").exists()


async def test_a_node_whose_loop_dies_ends_with_status_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def die(node: Node) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(Node, "_second", die)
    (tmp_path / "link.key").write_text(KEY)
    hub = Hub(tmp_path / "bus.sock")
    await hub.start()
    config = Config(
        server=ServerSettings(data_dir=tmp_path),
        node=NodeSettings(rtc_host="127.0.0.1", rtc_port=0, fallback_port=0),
    )
    assert await command._run(config) == 1
    await hub.close()
