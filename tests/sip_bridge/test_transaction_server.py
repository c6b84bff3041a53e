"""Server transactions: what is answered, repeated and forgotten."""

from sip_bridge.hooks import Hop
from sip_bridge.message import Request, Response, parse_message
from sip_bridge.transaction import State
from sip_bridge.transaction_layer import Advertised, TransactionLayer
from sip_bridge.transaction_server import ServerTransaction

UDP = Hop("udp", "10.0.0.2", 5060)
TCP = Hop("tcp", "10.0.0.2", 5060)


class Play:
    """A layer whose user keeps what it is given."""

    def __init__(self, method: str, hop: Hop = UDP) -> None:
        self.layer = TransactionLayer(Advertised((("10.0.0.1", 5060),)))
        self.layer.user = self
        self.now = 0.0
        self.hop = hop
        self.method = method
        self.given: list[ServerTransaction] = []
        self.acks = 0
        self.hear()

    def on_request(self, tx: ServerTransaction, request: Request, now: float) -> None:
        self.given.append(tx)

    def on_ack(self, request: Request, now: float) -> None:
        self.acks += 1
        self.given[0].ack(now)

    @property
    def tx(self) -> ServerTransaction:
        return self.given[0]

    def hear(self, method: str = "", branch: str = "z9hG4bK1") -> None:
        method = method or self.method
        self.layer.receive(
            f"{method} sip:c@d SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch={branch}\r\nFrom: <sip:a@b>;tag=1\r\n"
            f"To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n".encode(),
            self.hop,
            self.now,
        )

    def sent(self) -> list[int]:
        parsed = [parse_message(outgoing.data) for outgoing in self.layer.drain()]
        return [message.status for message in parsed if isinstance(message, Response)]

    def wait(self, seconds: float) -> list[float]:
        self.layer.drain()
        until = self.now + seconds
        times: list[float] = []
        while (due := self.layer.due()) is not None and due <= until:
            self.now = due
            self.layer.tick(due)
            times += [due] * len(self.layer.drain())
        self.now = until
        return times


def test_a_repeated_invite_gets_the_last_response_again() -> None:
    play = Play("INVITE")
    play.hear()
    assert play.sent() == []
    play.tx.respond(100, 0.0)
    play.tx.respond(180, 0.0, to_tag="t")
    play.hear()
    assert play.sent() == [100, 180, 180]
    assert len(play.given) == 1


def test_a_failure_is_repeated_until_its_ack() -> None:
    play = Play("INVITE")
    play.tx.respond(486, 0.0)
    assert play.wait(4) == [0.5, 1.5, 3.5]
    play.hear()
    assert len(play.layer.drain()) == 1
    play.hear("ACK")
    assert play.acks == 0
    assert play.wait(4) == []
    play.hear()
    play.hear("ACK")
    assert play.sent() == []
    play.wait(2)
    assert not play.layer.servers


def test_a_failure_nobody_acknowledges_is_given_up() -> None:
    play = Play("INVITE")
    play.tx.respond(486, 0.0)
    assert play.wait(40)[-1] == 31.5
    assert not play.layer.servers
    assert len(play.layer.timers) == 0


def test_a_2xx_is_repeated_until_its_ack_over_every_transport() -> None:
    for hop in (UDP, TCP):
        play = Play("INVITE", hop)
        play.tx.respond(200, 0.0)
        assert play.wait(8) == [0.5, 1.5, 3.5, 7.5]
        play.hear("ACK", "z9hG4bK2")
        assert play.wait(20) == []
        play.hear()
        assert play.sent() == []
        play.tx.ack(play.now)
        play.wait(6)
        assert not play.layer.servers
        play.tx.ack(play.now)


def test_a_2xx_nobody_acknowledges_is_reported() -> None:
    play = Play("INVITE")
    lost: list[float] = []
    play.tx.on_no_ack = lost.append
    play.tx.respond(200, 0.0)
    play.wait(33)
    assert lost == [32.0]
    assert not play.layer.servers
    quiet = Play("INVITE")
    quiet.tx.respond(200, 0.0)
    quiet.wait(33)
    assert quiet.layer.counters["never_acknowledged"] == 1


def test_over_tcp_a_failure_is_not_repeated() -> None:
    play = Play("INVITE", TCP)
    play.tx.respond(486, 0.0)
    assert play.wait(10) == []
    play.hear("ACK")
    assert not play.layer.servers


def test_another_request_is_answered_once_and_repeated_on_demand() -> None:
    play = Play("INFO")
    play.hear()
    assert play.sent() == []
    play.tx.respond(183, 0.0)
    play.hear()
    assert play.tx.respond(200, 0.0)
    assert not play.tx.respond(500, 0.0)
    play.hear()
    assert play.sent() == [183, 183, 200, 200]
    play.wait(33)
    assert not play.layer.servers
    assert play.tx.state is State.TERMINATED


def test_over_tcp_another_request_is_forgotten_at_once() -> None:
    play = Play("INFO", TCP)
    play.tx.respond(404, 0.0)
    assert not play.layer.servers


def test_a_cancel_reaches_the_open_invite_only() -> None:
    play = Play("INVITE")
    cancelled: list[float] = []
    play.hear("CANCEL")
    play.tx.on_cancel = lambda request, now: cancelled.append(now)
    play.now = 1.0
    play.layer.tick(1.0)
    play.hear("CANCEL", "z9hG4bK1")
    assert play.sent() == [200, 200]
    assert cancelled == []
    second = Play("INVITE")
    second.tx.on_cancel = lambda request, now: cancelled.append(now)
    second.hear("CANCEL")
    assert cancelled == [0.0]
    second.tx.respond(487, 0.0)
    assert second.sent() == [200, 487]
