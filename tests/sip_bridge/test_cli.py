from pathlib import Path

import pytest

from sip_bridge import cli, keeper
from sip_bridge.errors import ConfigError
from sip_bridge.hooks import Hop
from sip_bridge.routing import TrunkSide

BY_HAND = ["--listen", "udp:127.0.0.1:5070", "--route", "127.0.0.1:5080"]


def configured(*arguments: str) -> object:
    return cli.configuration(cli._parser().parse_args([*arguments]))


def test_the_phones_are_behind_the_route() -> None:
    config = cli.configuration(cli._parser().parse_args([*BY_HAND, "--no-tap", "--rtp-ports", "21000-21099"]))
    near, far = config.trunks
    assert (near.side, near.route) == (TrunkSide.PBX, None)
    assert (far.side, far.route) == (TrunkSide.PHONES, Hop("udp", "127.0.0.1", 5080))
    assert (config.rtp_ports, config.server, config.name) == ((21000, 21099), "", "b1")


def test_the_phones_come_to_us() -> None:
    arguments = [
        *BY_HAND,
        "--phones-side",
        "listen",
        "--server",
        "unix:///run/n.sock",
        "--key-file",
        "k",
        "--name",
        "x",
    ]
    config = cli.configuration(cli._parser().parse_args(arguments))
    assert [trunk.side for trunk in config.trunks] == [TrunkSide.PHONES, TrunkSide.PBX]
    assert (config.server, config.key_file, config.name) == ("unix:///run/n.sock", "k", "x")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--no-tap"], "--listen and --route are missing"),
        (BY_HAND, "--server is missing"),
        (["--config", "x.toml", "--route", "a:1"], "leave one or the other away"),
        (["--config", "/nowhere/x.toml"], "--config /nowhere/x.toml"),
        ([*BY_HAND, "--server", "unix:///run/n.sock"], "key_file is missing"),
    ],
)
def test_what_is_missing_is_said(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(*arguments)
    assert message in str(caught.value)


def test_a_file_is_read_and_its_errors_name_it(tmp_path: Path) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(
        '[bridge]\nlisten = "udp:127.0.0.1:5070"\n[[trunk]]\nname = "pbx"\nside = "pbx"\n'
        '[[trunk]]\nname = "phones"\nside = "phones"\nroute = "127.0.0.1:5080"\n'
    )
    config = cli.configuration(cli._parser().parse_args(["--config", str(file)]))
    assert config.trunks[1].route == Hop("udp", "127.0.0.1", 5080)
    file.write_text('[bridge]\nname = ""\n')
    with pytest.raises(ConfigError, match=r"bridge\.toml: line 2, bridge: name"):
        configured("--config", str(file))


def test_the_plan_of_the_keeper() -> None:
    arguments = [*BY_HAND, "--listen", "tcp:127.0.0.1:5070", "--no-tap", "--drain-timeout", "5"]
    plan = cli.plan(cli.configuration(cli._parser().parse_args(arguments)), "info")
    assert plan.sip_udp == (("127.0.0.1", 5070),)
    assert plan.sip_tcp == (("127.0.0.1", 5070),)
    assert (plan.rtp_first, plan.rtp_last, plan.drain_s) == (20000, 20999, 5.0)
    assert plan.control_args[0] == "--settings"


def test_main_hands_over_to_the_keeper(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    plans: list[keeper.KeeperPlan] = []

    def run(plan: keeper.KeeperPlan) -> int:
        plans.append(plan)
        return 0

    monkeypatch.setattr(keeper, "run", run)
    monkeypatch.setattr("sip_bridge.log.configure", lambda *_: None)
    assert cli.main([*BY_HAND, "--no-tap"]) == 0
    assert len(plans) == 1
    assert cli.main(BY_HAND) == 2
    assert capsys.readouterr().err.startswith("sip-bridge: --server is missing")
