import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_bridge.media import commands
from sip_bridge.media.commands import BadCommand, Set, address, read
from sip_bridge.media.grants import Ask, Mode


def command(cmd: str, **members: Any) -> object:
    return read(json.dumps({"cmd": cmd, **members}).encode())


def test_each_command_is_read() -> None:
    assert command("hello") == commands.Hello()
    assert command("open", leg=1, port=20000, role="agent", peer=2, segment="s") == commands.Open(
        1, 20000, False, 2, "s"
    )
    assert command("open", leg=2, port=20002, role="customer", peer=1) == commands.Open(2, 20002, True, 1, "")
    assert command("close", leg=1) == commands.Close(1)
    assert command("listen", legs=[1, 2], on=True) == commands.Listen((1, 2), True)
    assert command("tap", on=True) == commands.TapSwitch(True)
    assert command("revoke", session=3) == commands.Revoke(3)
    assert command("revoke_all") == commands.RevokeAll()
    assert command("gain", session=3, whisper_db=6, duck_db=-12.5) == commands.Gain(3, 6.0, -12.5)
    assert command("stats") == commands.Stats()
    asked = command("grant", session=3, leg=1, customer_leg=2, mode="barge", counter=9, ttl_ms=2000)
    assert asked == Ask(3, 1, 2, Mode.BARGE, 9, 2000)


def test_set_has_defaults_that_let_a_call_through() -> None:
    assert command("set", leg=1) == Set(1, None, None, {}, 20, False, True, True, False, False)
    full = command(
        "set", leg=1, remote=["10.0.0.1", 4000], rtcp=["::1", 5], codecs={"0": "PCMU"}, ptime=30, learn=True,
        send=False, recv=False, held=True, two_lines=True,
    )  # fmt: skip
    assert full == Set(1, ("10.0.0.1", 4000), ("::1", 5, 0, 0), {0: "PCMU"}, 30, True, False, False, True, True)


def test_the_unspecified_host_means_send_nothing() -> None:
    assert address("0.0.0.0", 4000) is None
    assert address("::", 4000) is None


@pytest.mark.parametrize(
    "data, cmd, text",
    [
        (b"\xff", "", "not JSON"),
        (b"{" * 100_000, "", "not JSON"),
        (b"[]", "", "not an object"),
        (b"{}", "None", "unknown command"),
        (b'{"cmd": 5}', "5", "unknown command"),
        (b'{"cmd": "' + b"x" * 100 + b'"}', "x" * 32, "unknown command"),
    ],
)
def test_what_is_no_command_is_refused(data: bytes, cmd: str, text: str) -> None:
    assert read(data) == BadCommand(cmd, text)


@pytest.mark.parametrize(
    "cmd, members, text",
    [
        ("close", {}, "leg must be a number from 0 to 4294967295"),
        ("close", {"leg": True}, "leg must be a number from 0 to 4294967295"),
        ("close", {"leg": -1}, "leg must be a number from 0 to 4294967295"),
        ("open", {"leg": 1, "port": 70000, "role": "agent"}, "port must be a number from 2 to 65534"),
        ("open", {"leg": 1, "port": 20000, "role": "boss"}, "role must be agent or customer"),
        ("open", {"leg": 1, "port": 20000, "role": "agent", "peer": 2, "segment": 3}, "segment must be a text"),
        ("set", {"leg": 1, "remote": "10.0.0.1"}, "remote must be [host, port] or null"),
        ("set", {"leg": 1, "remote": ["10.0.0.1", 0]}, "remote must be [host, port] or null"),
        ("set", {"leg": 1, "ptime": 5}, "ptime must be a number from 10 to 120"),
        ("set", {"leg": 1, "codecs": {"128": "x"}}, "codecs must map payload types 0 to 127 to names"),
        ("set", {"leg": 1, "codecs": ["PCMU"]}, "codecs must map payload types 0 to 127 to names"),
        ("set", {"leg": 1, "send": 1}, "send must be true or false"),
        ("listen", {"legs": 5, "on": True}, "legs must be a list of numbers"),
        ("listen", {"legs": ["1"], "on": True}, "legs must be a list of numbers"),
        ("grant", {"mode": "takeover"}, "mode must be whisper or barge"),
        ("gain", {"session": 1, "whisper_db": 13, "duck_db": 0}, "whisper_db must be from -20.0 to 12.0 dB"),
        ("gain", {"session": 1, "whisper_db": 0, "duck_db": True}, "duck_db must be from -20.0 to 0.0 dB"),
    ],
)
def test_a_member_out_of_range_is_named(cmd: str, members: dict[str, Any], text: str) -> None:
    assert command(cmd, **members) == BadCommand(cmd, text)


VALUES = st.sampled_from([None, "", "agent", 0, -1, 20000, 1.5, True, [], ["h", 1], [["h"]], {}, {"x": "y"}])


@given(st.dictionaries(st.sampled_from(["leg", "port", "role", "remote", "codecs", "legs", "on", "mode"]), VALUES))
def test_no_members_raise(members: dict[str, Any]) -> None:
    for cmd in ("open", "set", "close", "listen", "grant", "gain", "revoke", "tap"):
        assert command(cmd, **members) is not None
