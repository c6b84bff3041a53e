import uuid

import pytest

from sip_bridge.identity import (
    DEFAULT_AGENT,
    DEFAULT_INTERACTION,
    EXPRESSION,
    Caller,
    Direction,
    Identity,
    identify,
    interaction_id,
    stable_uuid,
    uuid7,
)

HEADERS = {
    "from": ('"Carla" <sip:+4930123456@carrier.example:5060;user=phone>;tag=1',),
    "to": ("<sip:8000@pbx.example>",),
    "p-asserted-identity": ("<tel:+4930999999>",),
    "x-queue": ("sales",),
    "x-agent": (" agent-7 ",),
}
INBOUND = Caller("sip:201@PBX.example:5080;transport=udp", HEADERS, Direction.INBOUND)
OUTBOUND = Caller("sip:0301234@pbx.example", {"from": ("<sip:201@pbx.example>;tag=2",)}, Direction.OUTBOUND)


def test_an_inbound_call_is_for_the_agent_of_its_request_uri() -> None:
    who = identify(INBOUND, DEFAULT_AGENT, ["header:X-Queue"])
    assert who == Identity(("sip:201@pbx.example", "201"), "sales", "+4930999999")
    assert who.to_json() == {"agent": ["sip:201@pbx.example", "201"], "queue": "sales", "customer": "+4930999999"}


def test_a_registered_agent_is_known_by_its_address_not_by_the_token() -> None:
    caller = Caller("sip:a81bc81e@192.0.2.1", HEADERS, Direction.INBOUND, agent_aor="sip:201@pbx.example")
    assert identify(caller, DEFAULT_AGENT, []).agent == ("sip:201@pbx.example", "201")


def test_an_outbound_call_is_of_the_agent_in_from() -> None:
    assert identify(OUTBOUND, DEFAULT_AGENT, []) == Identity(("sip:201@pbx.example", "201"), "", "0301234")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("to.user", "8000"),
        ("to.uri", "sip:8000@pbx.example"),
        ("from.user", "+4930123456"),
        ("from.uri", "sip:+4930123456@carrier.example"),
        ("uri.user", "201"),
        ("pai.user", "+4930999999"),
        ("customer.uri", "tel:+4930999999"),
        ("header:X-Agent", "agent-7"),
        ("header:X-Absent", ""),
    ],
)
def test_expressions(expression: str, value: str) -> None:
    assert EXPRESSION.match(expression)
    assert identify(INBOUND, [expression], []).agent == ((value,) if value else ())


@pytest.mark.parametrize("expression", ["to", "to.host", "header:", "contact.user", "header:X Y"])
def test_what_is_no_expression(expression: str) -> None:
    assert not EXPRESSION.match(expression)


def test_headers_without_an_address_name_nobody() -> None:
    caller = Caller("urn:service:sos", {"from": ("nonsense",)}, Direction.INBOUND)
    assert identify(caller, ["uri.user", "from.user"], ["to.user"]) == Identity((), "", "")


def test_an_address_without_user_or_with_ipv6_host() -> None:
    caller = Caller("sip:[2001:db8::1]", {"from": ("<sip:a%20b@[2001:db8::2]>",)}, Direction.OUTBOUND)
    assert identify(caller, ["from.user", "from.uri"], []).agent == ("a b", "sip:a%20b@[2001:db8::2]")
    assert identify(caller, ["uri.user"], []).customer == ""


def test_the_same_header_gives_the_same_interaction() -> None:
    one = interaction_id({"x-interaction": ("order 66",)}, DEFAULT_INTERACTION)
    assert one == stable_uuid("x-interaction:order 66")
    assert one is not None
    assert uuid.UUID(one).version == 8
    assert one != interaction_id({"user-to-user": ("order 66",)}, DEFAULT_INTERACTION)


def test_a_uuid_is_taken_as_it_is() -> None:
    value = "01a201be-e5db-7217-87a6-aa6c2e9817ea"
    assert interaction_id({"x-interaction": (value,)}, ["X-Interaction"]) == value.replace("-", "")


def test_a_session_id_counts_by_its_local_half() -> None:
    local = "a" * 32
    headers = {"session-id": (f"{local};remote={'0' * 32}",)}
    assert interaction_id(headers, DEFAULT_INTERACTION) == local
    assert interaction_id({"session-id": ("0" * 32,)}, DEFAULT_INTERACTION) is None
    assert interaction_id({}, DEFAULT_INTERACTION) is None


def test_minted_ids_sort_by_time() -> None:
    ids = [uuid7(1_700_000_000_000 + at, bytes([255 - at] * 10)) for at in range(3)]
    assert ids == sorted(ids)
    assert {uuid.UUID(one).version for one in ids} == {7}
    assert {uuid.UUID(one).variant for one in ids} == {uuid.RFC_4122}
