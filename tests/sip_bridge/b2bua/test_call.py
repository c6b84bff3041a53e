from sip_bridge.b2bua.call import TABLE, Call, CallInput, CallState, Fork
from sip_bridge.dialog import Dialog
from sip_bridge.hooks import Hop, Route, Side

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
