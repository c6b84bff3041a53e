"""The first INVITE of a call: forwarding it, mirroring every early dialog, and what becomes of the answer."""

from __future__ import annotations

from functools import partial

from sip_bridge.b2bua import passing
from sip_bridge.b2bua.bodies import sdp_range
from sip_bridge.b2bua.call import Call, CallInput, CallState, Fork, InviteRelay
from sip_bridge.b2bua.ending import cancel, hang_up, send_bye
from sip_bridge.b2bua.table import CallTable
from sip_bridge.dialog import Dialog, DialogEvent
from sip_bridge.hooks import CallAnswered, CallProgress, CallReferred, CallStarted, Route, Side
from sip_bridge.message import Header, Request, Response
from sip_bridge.transaction_server import ServerTransaction
from sip_bridge.uri import without_tag


def open_call(
    table: CallTable, key: str, route: Route, pinned: bool, tx: ServerTransaction, request: Request, now: float
) -> None:
    """Forward a new INVITE as a call of our own; `pinned` when the callee is a phone registered through us."""
    tx.respond(100, now)
    layer = table.layer
    call = Call(key, route, tx.source)
    call.caller_call_id = request.call_id
    call.caller_tag = layer.new_tag()
    relay = call.pending = InviteRelay(Side.CALLER, tx, sdp_range(request) is None)
    tx.on_cancel = partial(_on_cancel, table, call)
    table.calls[key] = call
    callee = call.opening = Dialog.as_client(
        key,
        without_tag(request.get("from") or ""),
        layer.new_tag(),
        without_tag(request.get("to") or ""),
        route.request_uri,
        route.hop,
    )
    callee.pinned = pinned
    _announce(table, call, request, now)
    if call.state is not CallState.RINGING:
        # The observer hung up at once: nothing goes out.
        call.feed(CallInput.REFUSAL)
        table.remove(call, now)
        return
    headers = passing.passed(table, request)
    body = passing.body(table, call, Side.CALLER, request, relay.exchange)
    own = passing.contact(table, route.hop, request)
    forwarded = callee.request("INVITE", own, headers, body, max_forwards=request.max_forwards - 1)
    relay.cseq = forwarded.cseq.number
    relay.client = layer.send_request(forwarded, route.hop, partial(_on_response, table, call, relay), now)


def _announce(table: CallTable, call: Call, request: Request, now: float) -> None:
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in request.headers:
        headers[name] = (*headers.get(name, ()), value)
    table.tell(CallStarted(call.key, call.route, call.source, request.uri, headers, request.call_id, call.key), now)
    replaces = request.get("replaces")
    if replaces is not None and (place := table.joined(replaces)) is not None:
        table.tell(CallReferred(call.key, Side.CALLER, request.uri, place.call.key), now)


def _on_cancel(table: CallTable, call: Call, request: Request, now: float) -> None:
    cancel(table, call, Side.CALLER, 487, "Request Terminated", request.headers, now)


def _on_response(table: CallTable, call: Call, relay: InviteRelay, response: Response, now: float) -> None:
    if response.status == 100:
        return
    if response.status < 200:
        _progress(table, call, relay, response, now)
    elif response.status < 300:
        _answer(table, call, relay, response, now)
    else:
        _refusal(table, call, relay, response, now)


def _fork(table: CallTable, call: Call, relay: InviteRelay, response: Response) -> Fork:
    """Return the pair of dialogs for the To tag of `response`, made when it is new."""
    tag = response.to_tag
    fork = call.forks.get(tag)
    if fork is not None:
        return fork
    if (untagged := call.forks.pop("", None)) is not None:
        # An RFC 2543 callee rings without a tag and answers with one: it is the same dialog.
        table.unlink(untagged)
        untagged.callee.remote_tag = tag
        call.forks[tag] = untagged
        table.link(call, untagged)
        return untagged
    assert call.opening is not None, "a call has its opening dialog until it is forgotten"
    own_tag = table.layer.new_tag() if call.forks else call.caller_tag
    fork = Fork(Dialog.as_server(relay.tx.request, own_tag, relay.tx.source), call.opening.fork(response))
    call.forks[tag] = fork
    table.link(call, fork)
    return fork


def _creating_headers(table: CallTable, relay: InviteRelay, response: Response) -> list[Header]:
    """Return the headers of a response that creates a dialog: Record-Route is copied (RFC 3261, 12.1.1)."""
    routes = [("record-route", value) for value in relay.tx.request.all("record-route")]
    return routes + passing.response_headers(table, relay.tx.source, response)


def _progress(table: CallTable, call: Call, relay: InviteRelay, response: Response, now: float) -> None:
    if call.state is not CallState.RINGING:
        return
    fork = _fork(table, call, relay, response)
    fork.callee.learn(response)
    body = passing.body(
        table, call, Side.CALLEE, response, relay.exchange, response.to_tag, passing.is_reliable(response)
    )
    headers = _creating_headers(table, relay, response)
    relay.tx.respond(response.status, now, response.reason, headers, body, fork.caller.local_tag)
    table.tell(CallProgress(call.key, response.status, sdp_range(response) is not None), now)


def _answer(table: CallTable, call: Call, relay: InviteRelay, response: Response, now: float) -> None:
    tag = response.to_tag
    if tag in relay.acks:
        if (ack := relay.acks[tag]) is not None:
            table.layer.repeat(ack)
        return
    before = call.state
    if before is CallState.ENDED and not call.forks and call.opening is None:
        return  # forgotten: a fork that answers after this long gets no ACK and gives up by itself
    fork = _fork(table, call, relay, response)
    fork.callee.learn(response)
    if call.feed(CallInput.ANSWER) is not CallState.RINGING:
        acknowledge(table, relay, fork.callee, tag, [], b"")
        send_bye(table, fork.callee, now)
        if before is CallState.CANCELLED:
            table.remove(call, now)
        return
    _win(table, call, fork)
    body = passing.body(table, call, Side.CALLEE, response, relay.exchange, tag)
    headers = _creating_headers(table, relay, response)
    relay.tx.on_no_ack = lambda at: _lost_ack(table, call, at)
    if relay.late:
        relay.acks[tag] = None
    else:
        acknowledge(table, relay, fork.callee, tag, [], b"")
    table.note(call, now)
    relay.tx.respond(response.status, now, response.reason, headers, body, fork.caller.local_tag)
    table.tell(CallAnswered(call.key), now)


def _win(table: CallTable, call: Call, fork: Fork) -> None:
    """Keep the fork that answered; the caller must not reach the others any more."""
    for other in [other for other in call.forks.values() if other is not fork]:
        table.unlink(other)
    call.forks = {fork.callee.remote_tag: fork}
    call.fork = fork
    fork.caller.feed(DialogEvent.SUCCESS)


def _lost_ack(table: CallTable, call: Call, now: float) -> None:
    """RFC 3261, 13.3.1.4: a 2xx that is never acknowledged ends the session."""
    hang_up(table, call, "no ACK", now)


def acknowledge(
    table: CallTable, relay: InviteRelay, dialog: Dialog, tag: str, headers: list[Header], body: bytes
) -> None:
    """Send the ACK to a 2xx and keep it for when the 2xx comes again."""
    hop, fallback = dialog.next_hop()
    request = dialog.request("ACK", table.layer.contact(hop), headers, body, cseq=relay.cseq)
    relay.acks[tag] = table.layer.send_ack(request, hop, fallback)


def _refusal(table: CallTable, call: Call, relay: InviteRelay, response: Response, now: float) -> None:
    before = call.feed(CallInput.REFUSAL)
    if before is CallState.RINGING:
        headers = passing.passed(table, response)
        if response.status < 400 or response.status == 485:
            # RFC 3261, 21.3 and 21.4.23: these Contacts are meant for the caller.
            headers += [("contact", value) for value in response.all("contact")]
        relay.tx.respond(response.status, now, response.reason, headers, response.body, call.caller_tag)
        table.over(call, response.status, response.reason, None if response.generated else Side.CALLEE, now)
    call.pending = None
    table.remove(call, now)
