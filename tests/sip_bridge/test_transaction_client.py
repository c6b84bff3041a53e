"""Client transactions against a peer that is a list of what was sent."""

import pytest

from sip_bridge.headers import CSeq
from sip_bridge.hooks import Hop
from sip_bridge.message import Request, Response, parse_message
from sip_bridge.transaction import State
from sip_bridge.transaction_client import ClientTransaction
from sip_bridge.transaction_layer import Advertised, TransactionLayer

UDP = Hop("udp", "10.0.0.2", 5060)
TCP = Hop("tcp", "10.0.0.2", 5060)


class Play:
    """A layer, one client transaction, and a clock."""

    def __init__(self, method: str, hop: Hop = UDP) -> None:
        self.layer = TransactionLayer(Advertised((("10.0.0.1", 5060),), (("10.0.0.1", 5060),)))
        self.now = 0.0
        self.heard: list[tuple[int, bool]] = []
        headers = [
            ("max-forwards", "70"),
            ("from", "<sip:a@b>;tag=1"),
            ("to", "<sip:c@d>"),
            ("call-id", "x"),
            ("cseq", f"1 {method}"),
            ("route", "<sip:r;lr>"),
        ]
        request = Request(method, "sip:c@d", headers, b"body", None, CSeq(1, method))
        self.tx: ClientTransaction = self.layer.send_request(request, hop, self.on_response, self.now)

    def on_response(self, response: Response, now: float) -> None:
        self.heard.append((response.status, response.generated))

    def sent(self) -> list[Request]:
        parsed = [parse_message(outgoing.data) for outgoing in self.layer.drain()]
        return [message for message in parsed if isinstance(message, Request)]

    def methods(self) -> list[str]:
        return [message.method for message in self.sent()]

    def wait(self, seconds: float) -> list[float]:
        """Let time pass; return when something was sent."""
        self.layer.drain()
        until = self.now + seconds
        times: list[float] = []
        while (due := self.layer.due()) is not None and due <= until:
            self.now = due
            self.layer.tick(due)
            times += [due] * len(self.layer.drain())
        self.now = until
        return times

    def hear(self, status: int, method: str = "") -> None:
        sent = self.tx.request
        via = sent.headers[0][1]
        cseq = f"1 {method or sent.method}"
        self.layer.receive(
            f"SIP/2.0 {status} X\r\nVia: {via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\n"
            f"CSeq: {cseq}\r\nContent-Length: 0\r\n\r\n".encode(),
            UDP,
            self.now,
        )


def test_an_invite_is_repeated_in_doubling_steps_and_given_up_after_64_t1() -> None:
    play = Play("INVITE")
    assert play.methods() == ["INVITE"]
    assert play.wait(40) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert play.heard == [(408, True)]
    assert not play.layer.clients
    assert len(play.layer.timers) == 0


def test_another_request_is_repeated_at_most_every_t2() -> None:
    play = Play("INFO")
    play.sent()
    assert play.wait(40) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert play.heard == [(408, True)]


def test_a_provisional_response_slows_an_info_and_silences_an_invite() -> None:
    info = Play("INFO")
    info.hear(100)
    info.hear(180)
    assert info.wait(10) == [0.5, 4.5, 8.5]
    assert info.heard == [(180, False)]
    invite = Play("INVITE")
    invite.hear(180)
    assert invite.wait(60) == []


@pytest.mark.parametrize("hop", [UDP, TCP])
def test_a_failure_is_acknowledged_with_the_same_branch(hop: Hop) -> None:
    play = Play("INVITE", hop)
    branch = play.sent()[0].via
    play.hear(486)
    (ack,) = play.sent()
    assert ack.method == "ACK"
    assert ack.via == branch
    assert ack.to_tag == "2"
    assert ack.all("route") == ["<sip:r;lr>"]
    assert ack.cseq == (1, "ACK")
    assert ack.body == b""
    play.hear(486)
    assert play.methods() == (["ACK"] if hop is UDP else [])
    play.hear(200)
    play.hear(180)
    play.tx.cancel(play.now)
    play.wait(33)
    assert play.tx.state is State.TERMINATED
    assert play.heard == [(486, False)]


def test_every_2xx_is_handed_up_for_64_t1() -> None:
    play = Play("INVITE")
    play.hear(200)
    play.hear(100)
    play.hear(200)
    play.hear(486)
    play.tx.cancel(play.now)
    assert play.heard == [(200, False), (200, False)]
    play.wait(33)
    play.hear(200)
    assert play.heard == [(200, False), (200, False)]
    assert play.layer.counters["stray_responses"] == 1


def test_a_cancel_waits_and_carries_the_reason() -> None:
    play = Play("INVITE")
    play.sent()
    play.tx.cancel(play.now, [("reason", "SIP;cause=200")])
    play.tx.cancel(play.now, [("reason", "SIP;cause=200")])
    assert play.sent() == []
    play.hear(100)
    (cancel,) = play.sent()
    assert (cancel.method, cancel.get("reason"), cancel.body) == ("CANCEL", "SIP;cause=200", b"")
    assert cancel.via == play.tx.request.via or cancel.headers[0][1] == play.tx.request.headers[0][1]
    play.hear(200, "CANCEL")
    play.hear(183)
    play.tx.cancel(play.now)
    play.hear(487)
    assert play.heard == [(100, False), (183, False), (487, False)]


def test_a_cancelled_invite_without_final_response_ends_after_64_t1() -> None:
    play = Play("INVITE")
    play.hear(180)
    play.tx.cancel(0.0)
    play.hear(200, "CANCEL")
    play.wait(33)
    assert play.heard == [(180, False), (408, True)]
    play.tx.cancel(play.now)
    assert not play.layer.clients


def test_a_cancelled_invite_that_is_never_heard_is_repeated_until_given_up() -> None:
    play = Play("INVITE")
    play.sent()
    play.tx.cancel(0.0)
    assert play.wait(2) == [0.5, 1.5]
    play.wait(31)
    assert play.heard == [(408, True)]


def test_timer_c_cancels_a_phone_that_rings_for_three_minutes() -> None:
    play = Play("INVITE")
    play.sent()
    play.hear(100)
    play.wait(100)
    play.hear(180)
    play.wait(180)
    play.hear(100)
    assert play.methods() == []
    play.wait(0.5)
    assert play.methods() == []
    play.layer.tick(play.now + 1.0)
    assert play.methods() == ["CANCEL"]


def test_a_dead_transport_is_a_503() -> None:
    play = Play("INFO", TCP)
    play.layer.broken(TCP, 0.0)
    assert play.heard == [(503, True)]
    invite = Play("INVITE", TCP)
    invite.layer.broken(Hop("tcp", "else", 1), 0.0)
    assert invite.heard == []
    invite.hear(180)
    invite.layer.broken(TCP, 0.0)
    assert invite.heard == [(180, False)]


def test_over_tcp_nothing_is_repeated_and_nothing_lingers() -> None:
    play = Play("INFO", TCP)
    play.sent()
    assert play.wait(5) == []
    play.hear(200)
    assert not play.layer.clients
    assert len(play.layer.timers) == 0


def test_a_completed_request_absorbs_repeated_responses() -> None:
    play = Play("INFO")
    play.hear(200)
    for status in (200, 500, 100, 180):
        play.hear(status)
    play.layer.broken(UDP, 0.0)
    play.tx.cancel(0.0)
    assert play.heard == [(200, False)]
    play.wait(6)
    assert not play.layer.clients


def test_a_transaction_that_ended_cannot_be_broken() -> None:
    play = Play("INFO", TCP)
    play.hear(500)
    play.layer.broken(TCP, 0.0)
    assert play.heard == [(500, False)]
