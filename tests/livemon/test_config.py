from __future__ import annotations

from pathlib import Path

import pytest

from livemon import config
from livemon.bus.messages import Agent
from livemon.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "docs" / "livemon.example.toml"


def test_the_example_file_loads() -> None:
    got = config.load(EXAMPLE)
    assert got.link_listen == "unix:///var/lib/livemon/node-0.sock"
    assert got.link_key_file == Path("/var/lib/livemon/link.key")
    directory = got.directory(7)
    assert directory.version == 7
    assert directory.agents == (
        Agent("anna", "Anna Abel", "201", "sales", ("orders",), ("sip:201@pbx.example.org", "201")),
    )
    assert directory.queues[0].dead_air_alert_ms == 8000
    assert directory.teams[0].name == "Sales"


def test_without_a_file_the_defaults_hold() -> None:
    got = config.load(None)
    assert (got.server.host, got.node.name) == ("127.0.0.1", "node-0")
    assert got.bus_path == Path("/var/lib/livemon/bus.sock")
    assert got.link_listen == "unix:///var/lib/livemon/node-0.sock"
    assert got.link_key_file == Path("/var/lib/livemon/link.key")
    assert got.journal_path("node-0") == Path("/var/lib/livemon/audit/node-0.journal")


def test_the_nodes_own_link_setting_wins() -> None:
    got = config.loads('[link]\nserver = "wss://x/"\n[node]\nlink = "tcp://[::1]:7443"\n')
    assert got.link_listen == "tcp://[::1]:7443"


def test_a_team_or_queue_without_a_name_is_called_by_its_id() -> None:
    got = config.loads('[[team]]\nid = "t"\n[[queue]]\nid = "q"\n').directory()
    assert (got.teams[0].name, got.queues[0].name) == ("t", "q")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server", "not TOML"),
        ("[server]\nprot = 1", "server.prot is no setting"),
        ("[sever]\n", "sever is no setting"),
        ("[server]\nport = 70000", "server.port"),
        ('[server]\norigins = ["example.org"]', "scheme://host[:port]"),
        ('[server]\ntrusted_proxies = ["proxy"]', "server.trusted_proxies"),
        ('[server]\nmetrics_from = ["10.0.0.1/8"]', "server.metrics_from"),
        ('[server]\ntls = { certificate = "a" }', "server.tls.key is missing"),
        ('[node]\nlink = "ws://x"', "write unix:///path/node-0.sock or tcp://host:port"),
        ('[node]\nadvertise = ["host"]', "node.advertise"),
        ('[[agent]]\nid = "a"', "agent[1].name is missing"),
        ('[[agent]]\nid = "a"\nname = "A"\nteam = "x"', "no [[team]] has as its id"),
        ('[[agent]]\nid = "a"\nname = "A"\n[[agent]]\nid = "a"\nname = "B"', "two [[agent]] have the id 'a'"),
        ('[[user]]\nlogin = "u"\nteams = ["x"]', "unknown team 'x'"),
        ('[[user]]\nlogin = "u"\nrole = "boss"', "user[1].role"),
    ],
)
def test_a_wrong_setting_is_named_with_its_fix(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.loads(text, "livemon.toml")
    assert said in str(error.value)
    assert str(error.value).startswith("livemon.toml")


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as error:
        config.loads('[[user]]\nlogin = "u"\npassword = ["hunter2"]')
    assert "hunter2" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml cannot be read"):
        config.load(tmp_path / "missing.toml")


def test_settings_survive_being_written_down(tmp_path: Path) -> None:
    got = config.load(EXAMPLE)
    config.dump(got, tmp_path / "x" / "effective.json")
    assert (tmp_path / "x" / "effective.json").stat().st_mode & 0o777 == 0o600
    assert config.load(tmp_path / "x" / "effective.json") == got


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", {"http://127.0.0.1:8080", "http://localhost:8080"}),
        ('[server]\nhost = "::1"\nport = 1', {"http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"}),
        ('[server]\nhost = "192.0.2.1"\nbehind_tls = true', {"https://192.0.2.1:8080"}),
        (
            '[server]\nhost = "192.0.2.1"\norigins = ["https://A.example"]',
            {"http://192.0.2.1:8080", "https://a.example"},
        ),
    ],
)
def test_own_origins(text: str, origins: set[str]) -> None:
    assert set(config.loads(text).page_origins) == origins


def test_a_server_on_every_address_counts_its_names_and_the_advertised_ones() -> None:
    got = config.loads('[server]\nhost = "0.0.0.0"\n[node]\nadvertise = ["203.0.113.5"]')
    assert {"http://203.0.113.5:8080", "http://localhost:8080"} <= set(got.page_origins)
    assert got.fallback_url(7879) == "ws://203.0.113.5:7879/"


def test_the_fallback_url() -> None:
    assert config.loads("").fallback_url(7) == "ws://127.0.0.1:7/"
    assert config.loads('[node]\nfallback_url = "wss://x/audio"').fallback_url(7) == "wss://x/audio"
    tls = '[server]\ntls = { certificate = "a", key = "b" }\n[node]\nfallback_host = "2001:db8::1"'
    assert config.loads(tls).fallback_url(7) == "wss://[2001:db8::1]:7/"


def test_good_lists_are_taken() -> None:
    got = config.loads(
        '[server]\norigins = ["https://a"]\ntrusted_proxies = ["::1"]\nmetrics_from = ["10.0.0.0/8"]\n'
        '[node]\nadvertise = ["192.0.2.1"]'
    )
    assert (got.server.trusted_proxies, got.node.advertise) == (("::1",), ("192.0.2.1",))
