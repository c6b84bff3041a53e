from sip_bridge.b2bua.call import TABLE, Call, CallInput, CallState, Fork, InviteRelay
from sip_bridge.dialog import Dialog
from sip_bridge.hooks import Hop, Route, Side
from sip_bridge.message import Request
from sip_bridge.transaction_server import ServerTransaction
from tests.sip_stage import Stage

HOP = Hop("udp", "h", 5060)


def test_the_table_is_complete_and_nothing_leaves_the_end() -> None:
    assert set(TABLE) == {(state, happening) for state in CallState for happening in CallInput}
    assert {TABLE[CallState.ENDED, happening] for happening in CallInput} == {CallState.ENDED}


def test_a_step_returns_the_state_before() -> None:
    call = Call("k", Route(HOP, "sip:x", "in", "out"), HOP)
    assert call.feed(CallInput.CANCEL).name == "RINGING"
    assert call.feed(CallInput.ANSWER).name == "CANCELLED"
    assert call.state is CallState.ENDED


def test_a_fork_has_a_dialog_for_each_side() -> None:
    caller = Dialog.as_client("a", "", "t", "", "", HOP)
    callee = Dialog.as_client("b", "", "t", "", "", HOP)
    fork = Fork(caller, callee)
    assert fork.of(Side.CALLER) is caller
    assert fork.of(Side.CALLEE) is callee


class Taken:
    """Keeps the transaction of a request and answers nothing."""

    tx: ServerTransaction

    def on_request(self, tx: ServerTransaction, request: Request, now: float) -> None:
        self.tx = tx

    def on_ack(self, request: Request, now: float) -> None:
        """Not of interest."""


def test_an_invite_is_answered_once_and_cancelled_only_after_it_went_out() -> None:
    stage, taken = Stage(), Taken()
    stage.layer.user = taken
    stage.invite()
    relay = InviteRelay(Side.CALLER, taken.tx, late=False)
    relay.cancel(stage.now, ())
    stage.deliver()
    assert stage.callee.inbox == []
    dialog = Dialog.as_client("c2", "<sip:a@h>", "t", "<sip:b@h>", "sip:b@h", stage.callee.hop)
    request = dialog.request("INVITE", "<sip:us@h>")
    relay.client = stage.layer.send_request(request, stage.callee.hop, lambda response, now: None, stage.now)
    stage.deliver()
    stage.callee.answer(stage.callee.request("INVITE"), 180, tag="bt")
    relay.cancel(stage.now, [("reason", "SIP;cause=200")])
    stage.deliver()
    assert stage.callee.request("CANCEL").get("reason") == "SIP;cause=200"
    assert relay.respond(486, stage.now)
    assert not relay.respond(487, stage.now)
