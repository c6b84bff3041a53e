import ipaddress

import pytest

from sip_bridge.hooks import Hop, Refuse, Route, Side
from sip_bridge.identity import Direction
from sip_bridge.routing import Source, Trunk, TrunkRouter, TrunkSide

OWN = frozenset({("192.0.2.1", 5060), ("2001:db8::1", 5060)})
PBX = Trunk("pbx", TrunkSide.PBX, route=Hop("udp", "192.0.2.10", 5060))
PHONES = Trunk("phones", TrunkSide.PHONES)
PHONE = Hop("udp", "198.51.100.7", 40000)


class NoHeaders:
    def get(self, name: str) -> str | None:
        return None

    def all(self, name: str) -> list[str]:
        return []


def routed(router: TrunkRouter, uri: str, source: Hop, method: str = "INVITE") -> Route | Refuse:
    return router.route(method, uri, source, NoHeaders())


def test_a_phone_calls_out_by_the_pbx() -> None:
    answer = routed(TrunkRouter([PBX, PHONES], OWN), "sip:0301@192.0.2.1;user=phone", PHONE)
    assert answer == Route(Hop("udp", "192.0.2.10", 5060), "sip:0301@192.0.2.10:5060;user=phone", "phones", "pbx")


def test_a_request_uri_of_somebody_else_is_kept() -> None:
    answer = routed(TrunkRouter([PBX, PHONES], OWN), "sip:0301@pbx.example", PHONE)
    assert isinstance(answer, Route)
    assert answer.request_uri == "sip:0301@pbx.example"


def test_odd_request_uris_are_kept_and_ipv6_hosts_get_brackets() -> None:
    pbx = Trunk("pbx", TrunkSide.PBX, route=Hop("udp", "2001:db8::9", 5060))
    router = TrunkRouter([pbx, PHONES], OWN)
    for uri, wanted in [("tel:+4930", "tel:+4930"), ("sip:7@[2001:db8::1]:5060", "sip:7@[2001:db8::9]:5060")]:
        answer = routed(router, uri, PHONE)
        assert isinstance(answer, Route)
        assert answer.request_uri == wanted


def test_the_pbx_reaches_registered_phones_alone() -> None:
    router = TrunkRouter([PBX, PHONES], OWN)
    assert routed(router, "sip:token@192.0.2.1", PBX.route or PHONE) == Refuse(404, "Not Found")
    router.registered = lambda uri: uri == "sip:token@192.0.2.1"
    answer = routed(router, "sip:token@192.0.2.1", PBX.route or PHONE)
    assert isinstance(answer, Route)
    assert (answer.trunk_in, answer.trunk_out) == ("pbx", "phones")
    assert routed(router, "sip:token@192.0.2.1", PBX.route or PHONE, "REGISTER") == Refuse(404, "Not Found")


def test_a_phone_that_calls_a_registered_phone_is_internal() -> None:
    router = TrunkRouter([PBX, PHONES], OWN)
    router.registered = lambda uri: True
    answer = routed(router, "sip:token@192.0.2.1", PHONE)
    assert isinstance(answer, Route)
    assert router.sides(answer) == (Direction.INTERNAL, Side.CALLER)
    assert router.outer(answer) == PHONES


def test_a_named_phones_trunk_takes_registered_calls() -> None:
    branch = Trunk("branch", TrunkSide.PHONES, match=(Source(ipaddress.ip_network("203.0.113.0/24")),))
    pbx = Trunk("pbx", TrunkSide.PBX, route=Hop("udp", "192.0.2.10", 5060), to="branch")
    router = TrunkRouter([pbx, PHONES, branch], OWN)
    router.registered = lambda uri: True
    answer = routed(router, "sip:token@192.0.2.1", pbx.route or PHONE)
    assert isinstance(answer, Route)
    assert answer.trunk_out == "branch"
    assert routed(TrunkRouter([pbx, PHONES], OWN), "sip:x@y", pbx.route or PHONE) == Refuse(404, "No Route")


def test_directions_and_the_agents_side() -> None:
    router = TrunkRouter([PBX, PHONES, Trunk("carrier", TrunkSide.PBX)], OWN)
    hop = Hop("udp", "192.0.2.10", 5060)
    cases = {
        ("phones", "pbx"): (Direction.OUTBOUND, Side.CALLER),
        ("pbx", "phones"): (Direction.INBOUND, Side.CALLEE),
        ("carrier", "pbx"): (Direction.INTERNAL, None),
    }
    for (trunk_in, trunk_out), wanted in cases.items():
        route = Route(hop, "sip:x@y", trunk_in, trunk_out)
        assert router.sides(route) == wanted
        assert router.outer(route).side is TrunkSide.PBX


def test_the_most_special_source_wins() -> None:
    wide = Trunk("wide", TrunkSide.PHONES, match=(Source(ipaddress.ip_network("192.0.2.0/24")),))
    one = Trunk("one", TrunkSide.PHONES, match=(Source(ipaddress.ip_network("192.0.2.10/32")),))
    router = TrunkRouter([wide, one, PBX, PHONES], OWN)

    def name(hop: Hop) -> str:
        trunk = router.trunk_of(hop)
        return trunk.name if trunk else ""

    assert name(Hop("udp", "192.0.2.10", 5060)) == "pbx"
    assert name(Hop("udp", "192.0.2.10", 5999)) == "one"
    assert name(Hop("udp", "192.0.2.11", 5060)) == "wide"
    assert name(Hop("udp", "203.0.113.5", 5060)) == "phones"
    assert name(Hop("udp", "no-address", 5060)) == "phones"


def test_strangers_are_refused_where_every_trunk_has_its_addresses() -> None:
    phones = Trunk("phones", TrunkSide.PHONES, match=(Source(ipaddress.ip_network("198.51.100.0/24")),))
    assert routed(TrunkRouter([PBX, phones], OWN), "sip:x@y", Hop("udp", "203.0.113.1", 5060)) == Refuse(
        403, "Forbidden"
    )


@pytest.mark.parametrize(
    ("hop", "ports"),
    [(Hop("udp", "192.0.2.10", 5060), [5060]), (Hop("tcp", "192.0.2.10", 5060), [None]), (Hop("udp", "pbx", 5060), [])],
)
def test_the_source_of_a_route(hop: Hop, ports: list[int | None]) -> None:
    assert [source.port for source in Trunk("t", TrunkSide.PBX, route=hop).sources] == ports
