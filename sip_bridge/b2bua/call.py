"""A bridged call: its state table, its forks, and the INVITE that is under way in it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from sip_bridge.b2bua.offer import Exchange
from sip_bridge.dialog import Dialog
from sip_bridge.hooks import Hop, Route, Side
from sip_bridge.message import Header
from sip_bridge.transaction_client import ClientTransaction
from sip_bridge.transaction_layer import Outgoing
from sip_bridge.transaction_server import ServerTransaction


class CallState(IntEnum):
    """The life of a call."""

    RINGING = 0
    CANCELLED = 1
    """The caller has gone; the callee has not said its last word yet."""
    TALKING = 2
    ENDED = 3


class CallInput(IntEnum):
    """What moves a call from state to state."""

    ANSWER = 0
    """A 2xx of the callee."""
    REFUSAL = 1
    """A final failure of the callee, or its silence."""
    CANCEL = 2
    """The caller, or the bridge itself, gives up before the answer."""
    HANGUP = 3
    """A BYE, a vanished peer, or the bridge's own decision."""


_S, _I = CallState, CallInput
TABLE: Final = {
    (_S.RINGING, _I.ANSWER): _S.TALKING,
    (_S.RINGING, _I.REFUSAL): _S.ENDED,
    (_S.RINGING, _I.CANCEL): _S.CANCELLED,
    (_S.RINGING, _I.HANGUP): _S.CANCELLED,
    (_S.CANCELLED, _I.ANSWER): _S.ENDED,  # the 200 crossed the CANCEL: ACK and BYE it
    (_S.CANCELLED, _I.REFUSAL): _S.ENDED,
    (_S.CANCELLED, _I.CANCEL): _S.CANCELLED,
    (_S.CANCELLED, _I.HANGUP): _S.CANCELLED,
    (_S.TALKING, _I.ANSWER): _S.TALKING,  # another fork answered as well: ACK and BYE it (RFC 3261, 13.2.2.4)
    (_S.TALKING, _I.REFUSAL): _S.TALKING,
    (_S.TALKING, _I.CANCEL): _S.TALKING,
    (_S.TALKING, _I.HANGUP): _S.ENDED,
    (_S.ENDED, _I.ANSWER): _S.ENDED,
    (_S.ENDED, _I.REFUSAL): _S.ENDED,
    (_S.ENDED, _I.CANCEL): _S.ENDED,
    (_S.ENDED, _I.HANGUP): _S.ENDED,
}
"""(state, input) to next state, complete."""


class Fork:
    """One dialog with the callee and the dialog that mirrors it to the caller."""

    __slots__ = ("callee", "caller")

    def __init__(self, caller: Dialog, callee: Dialog) -> None:
        self.caller = caller
        self.callee = callee

    def of(self, side: Side) -> Dialog:
        """Return the dialog of a side."""
        return self.caller if side is Side.CALLER else self.callee


class InviteRelay:
    """An INVITE or re-INVITE from `side` on its way to the other side.

    `late` says that it carried no offer, so that the ACK carries the answer and has to wait for it.
    `acks` holds the ACK sent to each fork that answered, to be repeated when its 2xx comes again.
    """

    __slots__ = ("acks", "client", "cseq", "exchange", "late", "side", "tx")

    def __init__(self, side: Side, tx: ServerTransaction, late: bool) -> None:
        self.side = side
        self.tx = tx
        self.late = late
        self.exchange = Exchange()
        self.client: ClientTransaction | None = None
        self.cseq = 0
        self.acks: dict[str, Outgoing | None] = {}

    def respond(self, status: int, now: float) -> bool:
        """Answer the INVITE; False when it was answered before."""
        return self.tx.respond(status, now)

    def cancel(self, now: float, headers: Iterable[Header]) -> None:
        """Cancel the INVITE on the other leg."""
        if self.client is not None:
            self.client.cancel(now, headers)


class Call:
    """One call; `fork` is the pair of dialogs that won, `pending` the INVITE not yet acknowledged."""

    __slots__ = (
        "caller_call_id", "caller_tag", "fork", "forks", "key", "opening", "pending", "refer_ids",
        "route", "source", "state",
    )  # fmt: skip

    def __init__(self, key: str, route: Route, source: Hop) -> None:
        self.key = key
        self.route = route
        self.source = source
        self.state = CallState.RINGING
        self.caller_call_id = ""
        self.caller_tag = ""
        """Our tag towards the caller until a fork brings its own."""
        self.fork: Fork | None = None
        self.forks: dict[str, Fork] = {}
        self.opening: Dialog | None = None
        """The dialog-to-be with the callee."""
        self.pending: InviteRelay | None = None
        self.refer_ids: dict[tuple[Side, str], str] = {}
        """(side a REFER was sent on to, our sequence number) to the sender's own (RFC 3515, 2.4.6)."""

    def feed(self, event: CallInput) -> CallState:
        """Take one step of the table and return the state before it."""
        before = self.state
        self.state = TABLE[before, event]
        return before
