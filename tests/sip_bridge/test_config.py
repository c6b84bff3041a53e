import ipaddress

import pytest

from sip_bridge.config import BridgeConfig, from_mapping, load
from sip_bridge.errors import ConfigError
from sip_bridge.hooks import Hop
from sip_bridge.routing import PlacementKind, Source, TrunkSide

GOOD = """
[bridge]
name = "b7"
listen = ["udp:192.0.2.1:5060", "tcp:192.0.2.1:5060", "udp:192.0.2.1:5062"]
rtp_ports = "30000-30099"
rtp_host = "192.0.2.1"
advertise = "203.0.113.1"
metrics = "127.0.0.1:9464"
drain_seconds = 60
silence_seconds = 120.5

[link]
server = "wss://node.example:8443/"
key_file = "/etc/livemon/link.key"

[[trunk]]
name = "pbx"
side = "pbx"
match = ["192.0.2.10", "10.0.0.0/8", "192.0.2.11:5062", "2001:db8::/32", "[2001:db8::9]:5060"]
route = "udp:192.0.2.10:5060"
identity.agent = ["header:X-Agent", "agent.user"]
identity.queue = "header:X-Queue"
identity.interaction = "X-Call"
codecs = ["pcma"]
placement = "trunk"
open_ear = false
policy = "de"
to = "phones"

[[trunk]]
name = "phones"
side = "phones"
source_learning = true
advertise = "192.0.2.1"

[[agent]]
name = "livemon's own"
"""


def test_a_whole_file() -> None:
    config = load(GOOD)
    assert config.listen == (
        Hop("udp", "192.0.2.1", 5060),
        Hop("tcp", "192.0.2.1", 5060),
        Hop("udp", "192.0.2.1", 5062),
    )
    assert [hop.local for hop in config.listen] == [0, 0, 1]
    assert (config.name, config.rtp_ports, config.address) == ("b7", (30000, 30099), "203.0.113.1")
    assert (config.server, config.key_file) == ("wss://node.example:8443/", "/etc/livemon/link.key")
    assert (config.metrics, config.drain_seconds) == (Hop("udp", "127.0.0.1", 9464), 60.0)
    pbx, phones = config.trunks
    assert pbx.match == (
        Source(ipaddress.ip_network("192.0.2.10")),
        Source(ipaddress.ip_network("10.0.0.0/8")),
        Source(ipaddress.ip_network("192.0.2.11"), 5062),
        Source(ipaddress.ip_network("2001:db8::/32")),
        Source(ipaddress.ip_network("2001:db8::9"), 5060),
    )
    assert (pbx.agent, pbx.queue, pbx.interaction) == (
        ("header:X-Agent", "agent.user"),
        ("header:X-Queue",),
        ("X-Call",),
    )
    assert (pbx.codecs, pbx.placement, pbx.open_ear) == (("PCMA",), PlacementKind.TRUNK, False)
    assert (phones.side, phones.source_learning) == (TrunkSide.PHONES, True)
    assert from_mapping(config.raw) == config


def test_defaults() -> None:
    config = from_mapping(
        {
            "bridge": {"listen": "127.0.0.1:5070"},
            "trunk": [{"name": "pbx", "side": "pbx", "match": "127.0.0.1"}, {"name": "phones", "side": "phones"}],
        }
    )
    assert isinstance(config, BridgeConfig)
    assert (config.address, config.server, config.metrics) == ("127.0.0.1", "", None)
    assert (config.rtp_ports, config.silence_seconds) == ((20000, 20999), 300.0)


def test_an_identity_table_of_its_own_is_read() -> None:
    text = GOOD.replace('identity.queue = "header:X-Queue"\n', "").replace('identity.interaction = "X-Call"\n', "")
    text = text.replace('identity.agent = ["header:X-Agent", "agent.user"]', 'identity = { queue = "to.user" }')
    assert load(text).trunks[0].queue == ("to.user",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[bridge]", "[bridge", "not TOML"),
        ('"b7"', '"a b"', "line 3, bridge: name = 'a b' is wrong; write a name of letters"),
        ('name = "b7"', "nmae = 1", "line 3, bridge: nmae is not a setting of bridge; known are advertise"),
        ('"udp:192.0.2.1:5060", ', '"udp:host:5060", ', "line 4, bridge: listen"),
        ('"udp:192.0.2.1:5060", ', '"udp:192.0.2.1:99999", ', "write transport:host:port"),
        ("listen = ", "silence_secondz = ", "silence_secondz is not a setting"),
        ('"30000-30099"', '"30001-30099"', "an even first"),
        ('"30000-30099"', '"many"', "line 5, bridge: rtp_ports = 'many' is wrong; write a range"),
        ('"30000-30099"', '"30000-30001"', "room for a call"),
        ('"203.0.113.1"', '"here"', "line 7, bridge: advertise = 'here' is wrong; write an IP address"),
        ('"203.0.113.1"', "5", "a text in quotes"),
        ("drain_seconds = 60", "drain_seconds = -1", "line 9, bridge: drain_seconds = -1 is wrong; write seconds"),
        ("drain_seconds = 60", "drain_seconds = true", "write seconds"),
        ('"wss://node.example:8443/"', '"http://x"', "line 13, link: server"),
        ('"wss://node.example:8443/"', '"ws://node.example/"', "wss:// for another host"),
        ('key_file = "/etc/livemon/link.key"', "", "line 12, link: key_file is missing"),
        ('side = "pbx"', 'side = "left"', "line 18, trunk: side = 'left' is wrong; write \"phones\" or \"pbx\""),
        ('side = "pbx"', "", "line 16, trunk: side is missing; write side = "),
        ('name = "pbx"', "", "line 16, trunk: name is missing"),
        ('"192.0.2.10", "10', '"nowhere", "10', "line 19, trunk: match"),
        ('"10.0.0.0/8"', "5", "line 19, trunk: match"),
        ("udp:192.0.2.10:5060", "192.0.2.10", "line 20, trunk: route"),
        ('["header:X-Agent", "agent.user"]', '"agent"', "line 21, trunk: agent = 'agent' is wrong; write to.user"),
        ('"X-Call"', '"X Call"', "line 23, trunk: interaction = 'X Call' is wrong; write a header's name"),
        ('["pcma"]', '"pcma"', "line 24, trunk: codecs"),
        ('"trunk"\n', '"roof"\n', "line 25, trunk: placement = 'roof' is wrong; write \"station\" or \"trunk\""),
        ("open_ear = false", 'open_ear = "no"', "line 26, trunk: open_ear = 'no' is wrong; write true or false"),
        ('to = "phones"', 'to = "mars"', "line 28, trunk: to = 'mars' names no trunk"),
        ('to = "phones"\n\n[[trunk]]\nname = "phones"', '\n\n[[trunk]]\nname = "pbx"', "line 31, trunk: name 'pbx'"),
        ('side = "phones"', 'side = "pbx"', "one [[trunk]] with side"),
        (GOOD.splitlines()[3], "", "line 2, bridge: listen is missing"),
        ('advertise = "203.0.113.1"', "", ""),
    ],
)  # fmt: skip
def test_wrong_settings_say_where_and_what_to_write(old: str, new: str, message: str) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    if not message:
        text = text.replace("udp:192.0.2.1:5060", "udp:0.0.0.0:5060", 1)
        message = "line 4, bridge: advertise is missing; phones cannot send to 0.0.0.0"
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"bridge": 1}, "bridge: write [bridge]"),
        ({"trunk": {}}, "trunk: write [[trunk]] with two brackets"),
        ({"trunk": [1]}, "trunk: write [[trunk]] and its settings"),
        ({"trunk": [{"name": "a", "side": "pbx", "identity": 1}]}, "write identity.agent"),
        ({"bridge": {"listen": []}, "trunk": []}, "a list of addresses to bind"),
    ],
)
def test_tables_of_the_wrong_shape(raw: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(raw)
    assert message in str(caught.value)


def test_a_telephone_system_among_several_needs_an_address() -> None:
    text = GOOD + '\n[[trunk]]\nname = "carrier"\nside = "pbx"\n'
    with pytest.raises(ConfigError, match="route is missing"):
        load(text)
