import pytest

from sip_bridge.hooks import Hop
from sip_bridge.message import Request, Response, parse_message
from sip_bridge.transaction_layer import Advertised, LayerLimits, TransactionLayer, allow_header
from sip_bridge.transaction_server import ServerTransaction

SOURCE = Hop("udp", "10.0.0.2", 40000)


class User:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.acks: list[Request] = []

    def on_request(self, tx: ServerTransaction, request: Request, now: float) -> None:
        self.requests.append(request)

    def on_ack(self, request: Request, now: float) -> None:
        self.acks.append(request)


def made(limits: LayerLimits | None = None) -> tuple[TransactionLayer, User]:
    layer = TransactionLayer(Advertised((("10.0.0.1", 5060),)), limits=limits or LayerLimits())
    user = User()
    layer.user = user
    return layer, user


def ask(method: str = "OPTIONS", via: str = "SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK1", extra: str = "") -> bytes:
    return (
        f"{method} sip:c@d SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n"
        f"CSeq: 1 {method}\r\n{extra}Content-Length: 0\r\n\r\n"
    ).encode()


def responses(layer: TransactionLayer) -> list[tuple[Hop, int]]:
    out = []
    for outgoing in layer.drain():
        message = parse_message(outgoing.data)
        assert isinstance(message, Response)
        out.append((outgoing.hop, message.status))
    return out


@pytest.mark.parametrize(
    ("via", "port"),
    [
        ("SIP/2.0/UDP evil.example:1234;branch=z9hG4bK1", 1234),
        ("SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1", 5060),
        ("SIP/2.0/UDP 10.0.0.2:40000;branch=z9hG4bK1", 40000),
        ("SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bK1", 40000),
    ],
)
def test_answers_go_to_the_source_address(via: str, port: int) -> None:
    layer, user = made()
    layer.receive(ask(via=via), SOURCE, 0.0)
    (tx,) = layer.servers.values()
    tx.respond(200, 0.0)
    assert responses(layer) == [(Hop("udp", "10.0.0.2", port), 200)]
    assert len(user.requests) == 1


def test_over_tcp_answers_go_back_over_the_connection() -> None:
    layer, _ = made()
    source = Hop("tcp", "10.0.0.2", 40000)
    layer.receive(ask(via="SIP/2.0/TCP 10.0.0.2:5060;branch=z9hG4bK1"), source, 0.0)
    (tx,) = layer.servers.values()
    assert tx.hop == source


@pytest.mark.parametrize("branch", ["", ";branch=old", ";branch=z9hG4bK"])
def test_peers_of_rfc_2543_are_matched_by_more_than_their_branch(branch: str) -> None:
    layer, user = made()
    via = f"SIP/2.0/UDP 10.0.0.2{branch}"
    layer.receive(ask("INVITE", via), SOURCE, 0.0)
    layer.receive(ask("INVITE", via), SOURCE, 0.0)
    assert len(user.requests) == 1
    (tx,) = layer.servers.values()
    tx.respond(486, 0.0)
    layer.receive(ask("ACK", f"{via};received=10.0.0.2"), SOURCE, 0.0)
    assert user.acks == []
    layer.receive(ask("INVITE", via).replace(b"Call-ID: x", b"Call-ID: y"), SOURCE, 0.0)
    assert len(user.requests) == 2


def test_a_cancel_of_nothing_is_481() -> None:
    layer, _ = made()
    layer.receive(ask("CANCEL"), SOURCE, 0.0)
    assert responses(layer)[0][1] == 481


def test_an_ack_of_nothing_goes_to_the_user() -> None:
    layer, user = made()
    layer.receive(ask("ACK"), SOURCE, 0.0)
    assert len(user.acks) == 1
    assert responses(layer) == []


def test_past_the_limits_nothing_is_kept() -> None:
    layer, user = made(LayerLimits(server=1, retry_after=7))
    layer.receive(ask(), SOURCE, 0.0)
    layer.receive(ask(via="SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK2"), SOURCE, 0.0)
    (outgoing,) = layer.drain()
    assert b"SIP/2.0 503" in outgoing.data
    assert b"Retry-After: 7" in outgoing.data
    assert len(layer.servers) == 1
    assert len(user.requests) == 1
    full, _ = made(LayerLimits(client=0))
    full.receive(ask(), SOURCE, 0.0)
    assert responses(full)[0][1] == 503


def test_what_cannot_be_read_is_answered_when_it_can_be() -> None:
    layer, user = made()
    layer.receive(ask(extra="CSeq: 2 OPTIONS\r\n"), SOURCE, 0.0)
    assert [status for _, status in responses(layer)] == [400]
    layer.receive(ask("ACK", extra="CSeq: 2 ACK\r\n"), SOURCE, 0.0)
    layer.receive(b"total nonsense, but long", SOURCE, 0.0)
    layer.receive(b"\r\n\r\n", SOURCE, 0.0)
    assert responses(layer) == []
    assert user.requests == []
    assert (layer.counters["refused"], layer.counters["dropped"], layer.counters["received"]) == (1, 2, 3)


def test_a_response_to_nothing_is_counted_and_dropped() -> None:
    layer, _ = made()
    layer.receive(ask().replace(b"OPTIONS sip:c@d SIP/2.0", b"SIP/2.0 200 OK"), SOURCE, 0.0)
    assert layer.counters["stray_responses"] == 1


def test_without_a_user_requests_are_not_answered() -> None:
    layer = TransactionLayer(Advertised((("10.0.0.1", 5060),)))
    layer.receive(ask(), SOURCE, 0.0)
    layer.receive(ask("ACK"), SOURCE, 0.0)
    assert layer.drain() == []


def test_our_address_depends_on_where_it_goes() -> None:
    own = Advertised((("192.0.2.1", 5060), ("2001:db8::1", 5062)), (("192.0.2.1", 5061),))
    assert own.of(Hop("udp", "10.0.0.1", 1)) == ("192.0.2.1", 5060)
    assert own.of(Hop("udp", "2001:db8::9", 1)) == ("2001:db8::1", 5062)
    assert own.of(Hop("udp", "pbx", 1, local=1)) == ("192.0.2.1", 5060)
    assert own.of(Hop("udp", "10.0.0.1", 1, local=9)) == ("192.0.2.1", 5060)
    assert own.of(Hop("tcp", "2001:db8::9", 1)) == ("192.0.2.1", 5061)
    layer = TransactionLayer(own)
    assert layer.contact(Hop("tcp", "10.0.0.1", 1), "token") == "<sip:token@192.0.2.1:5061;transport=tcp>"
    assert layer.contact(Hop("udp", "::9", 1)) == "<sip:[2001:db8::1]:5062>"
    assert Advertised((("192.0.2.1", 5060),)).of(Hop("tcp", "10.0.0.1", 1)) == ("192.0.2.1", 5060)


def test_branches_and_tags_are_unique() -> None:
    layer, _ = made()
    assert len({layer.branch() for _ in range(100)}) == 100
    assert len({layer.new_tag() for _ in range(1000)}) == 1000
    assert len(layer.new_tag()) == 12
    assert "INVITE" in allow_header()[1]


def test_an_ack_can_be_repeated_byte_for_byte() -> None:
    layer, _ = made()
    ack = layer.send_ack(Request("ACK", "sip:c@d", [("cseq", "1 ACK")]), SOURCE)
    layer.repeat(ack)
    first, second = layer.drain()
    assert first == second
    assert first.data.startswith(b"ACK sip:c@d SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK")


def test_a_transport_that_breaks_twice_is_told_once() -> None:
    layer, _ = made()
    hop = Hop("tcp", "10.0.0.2", 5060)
    told: list[int] = []

    def on_response(response: Response, now: float) -> None:
        told.append(response.status)
        layer.broken(hop, now)

    for _ in range(2):
        layer.send_request(Request("INFO", "sip:c@d", [("cseq", "1 INFO")]), hop, on_response, 0.0)
    layer.broken(hop, 0.0)
    assert told == [503, 503]


def test_a_response_reaches_its_request_and_timers_forget_both_sides() -> None:
    layer, _ = made()
    told: list[int] = []
    layer.send_request(
        Request(
            "INFO", "sip:c@d", [("from", "<sip:a@b>;tag=1"), ("to", "<sip:c@d>"), ("call-id", "x"), ("cseq", "1 INFO")]
        ),
        SOURCE,
        lambda response, now: told.append(response.status),
        0.0,
    )
    (sent,) = layer.drain()
    head = sent.data.replace(b"INFO sip:c@d SIP/2.0", b"SIP/2.0 200 OK", 1)
    layer.receive(head, SOURCE, 0.1)
    layer.receive(ask(), SOURCE, 0.2)
    (tx,) = layer.servers.values()
    tx.respond(200, 0.2)
    assert (told, len(layer.clients)) == ([200], 1)
    while (due := layer.due()) is not None:
        layer.tick(due)
    assert (layer.clients, layer.servers, told) == ({}, {}, [200])


def test_a_cancel_reaches_an_open_invite_and_an_answered_one_not() -> None:
    layer, _ = made()
    told: list[float] = []
    layer.receive(ask("INVITE"), SOURCE, 0.0)
    (invite,) = layer.servers.values()
    invite.on_cancel = lambda cancel, now: told.append(now)
    layer.receive(ask("CANCEL"), SOURCE, 1.0)
    assert (told, responses(layer)[-1][1]) == ([1.0], 200)
    invite.respond(487, 1.0)
    layer.receive(ask("CANCEL", extra="X: again\r\n").replace(b"CSeq: 1 C", b"CSeq: 1 C"), SOURCE, 1.1)
    assert told == [1.0]
