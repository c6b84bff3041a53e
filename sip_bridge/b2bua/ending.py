"""How calls end: BYE, CANCEL, a vanished peer, or the bridge's own decision."""

from __future__ import annotations

from collections.abc import Iterable

from sip_bridge.b2bua import passing
from sip_bridge.b2bua.call import Call, CallInput, CallState
from sip_bridge.b2bua.table import CallTable, Place
from sip_bridge.dialog import Dialog
from sip_bridge.hooks import Side
from sip_bridge.message import Header, Request, Response
from sip_bridge.transaction_server import ServerTransaction


def ignore(response: Response, now: float) -> None:
    """Take no notice: the call is over whatever the answer to our BYE."""


def send_bye(table: CallTable, dialog: Dialog, now: float, headers: Iterable[Header] = ()) -> None:
    """Send a BYE."""
    hop, fallback = dialog.next_hop()
    request = dialog.request("BYE", table.layer.contact(hop), headers)
    table.layer.send_request(request, hop, ignore, now, fallback)


def on_bye(table: CallTable, place: Place, tx: ServerTransaction, request: Request, now: float) -> None:
    """Answer a BYE at once and pass it on."""
    tx.respond(200, now)
    call = place.call
    if call.state is CallState.RINGING and place.side is Side.CALLER:
        # RFC 3261, 15: a caller may BYE an early dialog; to the callee it is a CANCEL.
        cancel(table, call, Side.CALLER, 487, "Request Terminated", passing.passed(table, request), now)
    elif call.state is CallState.TALKING:
        call.feed(CallInput.HANGUP)
        _abandon_pending(call, now)
        send_bye(table, place.far, now, passing.passed(table, request))
        table.over(call, 200, "bye", place.side, now)
        table.remove(call, now)


def hang_up(table: CallTable, call: Call, reason: str, now: float) -> bool:
    """End a call from our side, both ways; False when it was over already."""
    header = ("reason", f'SIP ;cause=200 ;text="{reason}"')
    if call.state is CallState.RINGING:
        cancel(table, call, None, 480, reason, (header,), now)
        return True
    if call.state is not CallState.TALKING or call.fork is None:
        return False
    call.feed(CallInput.HANGUP)
    _abandon_pending(call, now)
    for side in Side:
        send_bye(table, call.fork.of(side), now, (header,))
    table.over(call, 200, reason, None, now)
    table.remove(call, now)
    return True


def cancel(
    table: CallTable,
    call: Call,
    by: Side | None,
    status: int,
    reason: str,
    headers: Iterable[Header],
    now: float,
) -> None:
    """Give up a ringing call: the caller gets `status`, the callee a CANCEL as soon as it may have one."""
    call.feed(CallInput.CANCEL)
    pending = call.pending
    assert pending is not None, "a ringing call has its INVITE"
    kept = [(name, value) for name, value in headers if name == "reason"]  # RFC 3326, 2: the cause goes along
    pending.tx.respond(status, now, "" if by else reason, kept if by is None else (), b"", call.caller_tag)
    pending.cancel(now, kept)
    table.over(call, status, reason, by, now)


def _abandon_pending(call: Call, now: float) -> None:
    """A call ends while a re-INVITE is under way: its sender gets 487, the other side a CANCEL (RFC 3261, 15.1.2)."""
    pending = call.pending
    if pending is None or not pending.respond(487, now):
        return  # an answered INVITE stays, so that its ACK still finds it
    call.pending = None
    pending.cancel(now, ())
