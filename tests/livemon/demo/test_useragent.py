from collections.abc import Callable

import pytest

from livemon.demo.useragent import UaCall, UaState, UserAgent
from sip_bridge.hooks import Hop
from sip_bridge.transaction_layer import Advertised, TransactionLayer

HERE, THERE = Hop("udp", "127.0.0.1", 5071), Hop("udp", "127.0.0.1", 5072)


class Notes:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, UaCall]] = []

    def on_incoming(self, call: UaCall, now: float) -> None:
        self.told.append(("incoming", call))

    def on_up(self, call: UaCall, now: float) -> None:
        self.told.append(("up", call))

    def on_ended(self, call: UaCall, now: float) -> None:
        self.told.append(("ended", call))

    @property
    def words(self) -> list[str]:
        return [word for word, _ in self.told]


class Pair:
    """Two user agents on one wire, in virtual time; `lost` decides which messages vanish."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lost: Callable[[bytes], bool] = lambda data: False
        self.layers = {hop: TransactionLayer(Advertised(((hop.host, hop.port),))) for hop in (HERE, THERE)}
        self.notes = {hop: Notes() for hop in self.layers}
        self.agents = {hop: UserAgent(layer, "127.0.0.1", self.notes[hop]) for hop, layer in self.layers.items()}

    def run(self, seconds: float = 0.0) -> None:
        """Carry messages and fire timers for this long."""
        end = self.now + seconds
        while True:
            self.carry()
            due = min((at for layer in self.layers.values() if (at := layer.due()) is not None), default=end)
            if due >= end:
                break
            self.now = max(self.now, due)
            for layer in self.layers.values():
                layer.tick(self.now)
        self.now = end

    def carry(self) -> None:
        busy = True
        while busy:
            busy = False
            for hop, layer in self.layers.items():
                for outgoing in layer.drain():
                    busy = True
                    if not self.lost(outgoing.data):
                        self.layers[outgoing.hop].receive(outgoing.data, hop, self.now)

    def call(self) -> tuple[UaCall, UaCall]:
        """Set up an answered call from HERE to THERE."""
        mine = self.agents[HERE].call("201", "Ada", "sip:202@there", "here", THERE, 4000, self.now)
        self.run()
        theirs = self.notes[THERE].told[-1][1]
        self.agents[THERE].ring(theirs, self.now)
        self.run()
        self.agents[THERE].answer(theirs, 5000, self.now)
        self.run()
        return mine, theirs


def test_a_call_is_made_answered_and_ended() -> None:
    pair = Pair()
    mine, theirs = pair.call()
    assert (mine.state, theirs.state, theirs.user) == (UaState.UP, UaState.UP, "202")
    assert mine.remote_rtp == ("127.0.0.1", 5000)
    assert theirs.remote_rtp == ("127.0.0.1", 4000)
    pair.agents[THERE].hang_up(theirs, pair.now)
    pair.run()
    assert pair.notes[HERE].words == ["up", "ended"]
    assert pair.notes[THERE].words == ["incoming", "up", "ended"]
    assert pair.agents[HERE].calls == []


@pytest.mark.parametrize("which", [0, 1], ids=["caller holds", "callee holds"])
def test_hold_and_resume(which: int) -> None:
    pair = Pair()
    calls = pair.call()
    holder, held = calls[which], calls[1 - which]
    agent = pair.agents[(HERE, THERE)[which]]
    agent.hold(holder, True, pair.now)
    pair.run()
    assert (holder.holding, held.remote_listens) == (True, False)
    agent.hold(holder, False, pair.now)
    pair.run()
    assert (holder.holding, held.remote_listens) == (False, True)


def test_a_hold_that_crosses_another_is_taken_back() -> None:
    pair = Pair()
    mine, theirs = pair.call()
    pair.agents[HERE].hold(mine, True, pair.now)
    pair.agents[THERE].hold(theirs, True, pair.now)
    pair.run()
    assert (mine.holding, theirs.holding) == (False, False)
    assert mine.state is UaState.UP


def test_a_caller_who_gives_up() -> None:
    pair = Pair()
    mine = pair.agents[HERE].call("201", "Ada", "sip:202@there", "here", THERE, 4000, pair.now)
    pair.run()
    theirs = pair.notes[THERE].told[0][1]
    pair.agents[THERE].ring(theirs, pair.now)
    pair.run()
    pair.agents[HERE].hang_up(mine, pair.now)
    pair.run()
    assert (mine.state, theirs.state) == (UaState.ENDED, UaState.ENDED)


def test_a_callee_who_refuses() -> None:
    pair = Pair()
    mine = pair.agents[HERE].call("201", "Ada", "sip:202@there", "here", THERE, 4000, pair.now)
    pair.run()
    pair.agents[THERE].hang_up(pair.notes[THERE].told[0][1], pair.now)
    pair.run()
    assert mine.state is UaState.ENDED


def test_lost_messages_are_sent_again() -> None:
    pair = Pair()
    seen: set[bytes] = set()

    def first_of_each(data: bytes) -> bool:
        kind = data[:12]
        fresh = kind not in seen
        seen.add(kind)
        return fresh

    pair.lost = first_of_each
    pair.agents[HERE].call("201", "Ada", "sip:202@there", "here", THERE, 4000, pair.now)
    pair.run(2.0)
    theirs = pair.notes[THERE].told[0][1]
    pair.agents[THERE].answer(theirs, 5000, pair.now)
    pair.run(5.0)
    assert pair.notes[HERE].words == ["up"]
    assert pair.notes[THERE].words == ["incoming", "up"]


def test_a_phone_registers() -> None:
    pair = Pair()
    pair.agents[HERE].register("201", "there", THERE, pair.now)
    pair.run()
    assert pair.agents[HERE].registered == {"201"}
    assert pair.agents[THERE].bindings["201"] == ("sip:201@127.0.0.1:5071", HERE)


def test_a_registrar_that_refuses_leaves_the_phone_unregistered() -> None:
    pair = Pair()
    pair.lost = lambda data: data.startswith(b"REGISTER")
    pair.agents[HERE].register("201", "there", THERE, pair.now)
    pair.run(40.0)  # 408 of the own transaction after 32 s
    assert pair.agents[HERE].registered == set()


def test_what_does_not_fit_the_state_of_a_call_does_nothing() -> None:
    pair = Pair()
    mine = pair.agents[HERE].call("201", "Ada", "sip:202@there", "here", THERE, 4000, pair.now)
    pair.run()
    theirs = pair.notes[THERE].told[-1][1]
    sent: list[bytes] = []

    def noted(data: bytes) -> bool:
        sent.append(data)
        return False

    pair.lost = noted
    pair.agents[THERE].hold(theirs, True, pair.now)
    pair.agents[HERE].ring(mine, pair.now)
    pair.run()
    assert (theirs.holding, sent) == (False, [])
    pair.agents[THERE].hang_up(theirs, pair.now)
    pair.run()
    sent.clear()
    pair.agents[HERE].hang_up(mine, pair.now)
    pair.run()
    assert sent == [] and pair.notes[HERE].words == ["ended"]


def test_an_ack_of_no_call_is_nothing() -> None:
    pair = Pair()
    mine, theirs = pair.call()
    ack = mine.dialog.request("ACK", "<sip:x@127.0.0.1>", cseq=1)
    pair.agents[THERE].hang_up(theirs, pair.now)
    pair.run()
    pair.agents[THERE].on_ack(ack, pair.now)
    assert pair.notes[THERE].words == ["incoming", "up", "ended"]


@pytest.mark.parametrize("body", [b"", b"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n", None])
def test_a_body_without_an_address_leaves_the_call_without_a_place_to_send_to(body: bytes | None) -> None:
    pair = Pair()
    mine = pair.agents[HERE].call("201", "Ada", "sip:202@there", "here", THERE, 0, pair.now)
    (outgoing,) = pair.layers[HERE].drain()
    head, _, offered = outgoing.data.partition(b"\r\n\r\n")
    # None: the offer as it is, with port 0, which refuses the stream (RFC 3264, 6).
    text = offered if body is None else body
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"content-length", b"l:"))]
    head = b"\r\n".join([*lines, b"Content-Length: %d" % len(text)])
    pair.layers[THERE].receive(head + b"\r\n\r\n" + text, HERE, pair.now)
    theirs = pair.notes[THERE].told[-1][1]
    assert theirs.remote_rtp is None and mine.state is UaState.CALLING


@pytest.mark.parametrize(
    ("start", "status"),
    [
        ("BYE sip:x@there SIP/2.0", b"405"),
        ("REGISTER sip:there SIP/2.0", b"400"),
    ],
)
def test_what_it_does_not_know_is_refused(start: str, status: bytes) -> None:
    pair = Pair()
    method = start.split()[0]
    text = (
        f"{start}\r\nVia: SIP/2.0/UDP 127.0.0.1:5071;rport;branch=z9hG4bK1\r\nFrom: <sip:a@here>;tag=1\r\n"
        f"To: <sip:b@there>\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n\r\n"
    )
    pair.layers[THERE].receive(text.encode(), HERE, 0.0)
    (outgoing,) = pair.layers[THERE].drain()
    assert outgoing.data.split()[1] == status


def test_a_request_of_no_call_and_an_old_one() -> None:
    pair = Pair()
    mine, theirs = pair.call()
    dialog = mine.dialog
    for method, cseq, tag, status in [("INFO", 1, "?", b"481"), ("INFO", 0, "", b"500"), ("INFO", None, "", b"200")]:
        request = dialog.request(method, "<sip:x@127.0.0.1>", cseq=cseq)
        headers = [(n, v + tag if n == "to" else v) for n, v in request.headers]
        headers.insert(0, ("via", f"SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK{status!r}"))
        request.headers[:] = headers
        pair.layers[THERE].receive(request.encode(), HERE, pair.now)
        (outgoing,) = pair.layers[THERE].drain()
        assert outgoing.data.split()[1] == status
    assert theirs.state is UaState.UP
