import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

import livemon.config
import sip_bridge.config
from livemon.demo.cast import AGENTS
from livemon.demo.stage import Stage, free_ports, is_loopback
from livemon.errors import ConfigError


def stage(folder: Path, tls: bool = False) -> Stage:
    return Stage(folder, "127.0.0.1", free_ports("127.0.0.1", 0, 2), AGENTS[:2], tls)


def test_bridge_and_livemon_both_read_the_configuration(tmp_path: Path) -> None:
    made = stage(tmp_path)
    made.write()
    bridge = sip_bridge.config.load(made.config.read_text())
    assert [trunk.name for trunk in bridge.trunks] == ["pbx", "phones"]
    assert bridge.listen[0].port == made.ports.sip
    server = livemon.config.load(made.config)
    assert [agent.name for agent in server.agent] == [agent.name for agent in AGENTS[:2]]
    assert server.link_listen == bridge.server
    assert server.link_key_file.read_text().strip()
    assert server.link_key_file.stat().st_mode & 0o077 == 0
    assert made.url == f"http://127.0.0.1:{made.ports.web}"


def test_for_other_machines_there_is_a_certificate(tmp_path: Path) -> None:
    made = stage(tmp_path, tls=True)
    made.write()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.folder / "demo.crt", made.folder / "demo.pem")
    assert livemon.config.load(made.config).server.tls is not None
    assert made.url.startswith("https://")
    replace(made, host="demo.example").write()


def test_ports_are_free_and_apart() -> None:
    ports = free_ports("127.0.0.1", 0, 8)
    first, last = ports.rtp
    assert first % 2 == 0
    assert last - first + 1 >= 8 * 4
    assert len({ports.web, ports.fallback, ports.metrics}) == 3


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} is taken"):
            free_ports("127.0.0.1", port, 1)


def test_too_many_agents_for_the_ports_is_said() -> None:
    with pytest.raises(ConfigError, match="free UDP ports in a row"):
        free_ports("127.0.0.1", 0, 100_000)


@pytest.mark.parametrize(
    ("host", "loopback"), [("127.0.0.1", True), ("localhost", True), ("192.0.2.1", False), ("x", False)]
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
