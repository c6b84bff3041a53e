"""Requests inside a call: passed to the other side whatever their method, with the few that change the call itself."""

from __future__ import annotations

from functools import partial

from sip_bridge.b2bua import passing
from sip_bridge.b2bua.bodies import sdp_range
from sip_bridge.b2bua.call import CallState, InviteRelay
from sip_bridge.b2bua.ending import hang_up, on_bye
from sip_bridge.b2bua.offer import Exchange
from sip_bridge.b2bua.setup import acknowledge
from sip_bridge.b2bua.table import CallTable, Place
from sip_bridge.hooks import CallReferred, TransferProgress
from sip_bridge.message import Header, Request, Response
from sip_bridge.transaction_server import ServerTransaction
from sip_bridge.uri import parse_address


def on_ack(table: CallTable, place: Place, request: Request, now: float) -> None:
    """Take the ACK to a 2xx; after a late offer it carries the answer and is passed on."""
    call = place.call
    pending = call.pending
    if pending is None or pending.side is not place.side or pending.tx.request.cseq.number != request.cseq.number:
        return
    pending.tx.ack(now)
    call.pending = None
    if pending.late:
        body = passing.body(table, call, place.side, request, pending.exchange)
        headers = passing.passed(table, request)
        acknowledge(table, pending, place.far, place.far.remote_tag, headers, body)


def on_request(table: CallTable, place: Place, tx: ServerTransaction, request: Request, now: float) -> None:
    """Take a request inside a dialog."""
    if not place.own.accept(request):
        # RFC 3261, 12.2.2: out of order.
        tx.respond(500, now, headers=(("retry-after", "1"),))
        return
    if request.method == "BYE":
        on_bye(table, place, tx, request, now)
    elif place.call.state not in (CallState.RINGING, CallState.TALKING):
        tx.respond(481, now)
    elif request.max_forwards == 0:
        tx.respond(483, now)
    elif request.method == "INVITE":
        _reinvite(table, place, tx, request, now)
    else:
        _other(table, place, tx, request, now)


def _forward(table: CallTable, place: Place, request: Request, extra: list[Header], body: bytes) -> Request:
    """Build the request for the far side and journal the new sequence numbers."""
    far = place.far
    hop, _ = far.next_hop()
    headers = passing.passed(table, request)
    if request.method == "NOTIFY":
        headers = passing.event_id(place.call, place.side, headers)
    own = passing.contact(table, hop, request)
    return far.request(request.method, own, headers + extra, body, max_forwards=request.max_forwards - 1)


# -- re-INVITE


def _reinvite(table: CallTable, place: Place, tx: ServerTransaction, request: Request, now: float) -> None:
    call = place.call
    if call.pending is not None or call.state is not CallState.TALKING:
        # RFC 3261, 14.2: another INVITE is under way, in either direction.
        tx.respond(491, now)
        return
    tx.respond(100, now)
    relay = call.pending = InviteRelay(place.side, tx, sdp_range(request) is None)
    place.own.refresh(request)
    body = passing.body(table, call, place.side, request, relay.exchange)
    forwarded = _forward(table, place, request, [], body)
    relay.cseq = forwarded.cseq.number
    table.note(call, now)
    hop, fallback = place.far.next_hop()
    on_response = partial(_reinvite_response, table, place, relay)
    relay.client = table.layer.send_request(forwarded, hop, on_response, now, fallback)
    tx.on_cancel = partial(_reinvite_cancel, relay)


def _reinvite_cancel(relay: InviteRelay, request: Request, now: float) -> None:
    """Pass the CANCEL on; the far side's final response decides."""
    relay.cancel(now, [header for header in request.headers if header[0] == "reason"])


def _reinvite_response(table: CallTable, place: Place, relay: InviteRelay, response: Response, now: float) -> None:
    if response.status == 100:
        return
    if 200 <= response.status < 300:
        _reinvite_answer(table, place, relay, response, now)
        return
    reliable = passing.is_reliable(response)
    sender = place.side.other
    body = response.body
    if response.status < 200:
        body = passing.body(table, place.call, sender, response, relay.exchange, reliable=reliable)
    headers = passing.response_headers(table, place.own.hop, response)
    relay.tx.respond(response.status, now, response.reason, headers, body)
    if response.status >= 300:
        _reinvite_refusal(table, place, relay, response, now)


def _reinvite_answer(table: CallTable, place: Place, relay: InviteRelay, response: Response, now: float) -> None:
    call = place.call
    far = place.far
    if far.remote_tag in relay.acks:
        if (ack := relay.acks[far.remote_tag]) is not None:
            table.layer.repeat(ack)
        return
    far.refresh(response)
    if not relay.tx.open or call.state is not CallState.TALKING:
        # The call ended meanwhile: the 2xx still wants its ACK.
        acknowledge(table, relay, far, far.remote_tag, [], b"")
        return
    body = passing.body(table, call, place.side.other, response, relay.exchange)
    headers = passing.response_headers(table, place.own.hop, response)
    relay.tx.on_no_ack = lambda at: _lost_ack(table, place, at)
    if relay.late:
        relay.acks[far.remote_tag] = None
    else:
        acknowledge(table, relay, far, far.remote_tag, [], b"")
    table.note(call, now)
    relay.tx.respond(response.status, now, response.reason, headers, body)


def _lost_ack(table: CallTable, place: Place, now: float) -> None:
    hang_up(table, place.call, "no ACK", now)


def _reinvite_refusal(table: CallTable, place: Place, relay: InviteRelay, response: Response, now: float) -> None:
    call = place.call
    if call.pending is relay:
        call.pending = None
    if call.state is not CallState.TALKING:
        return
    exchange = relay.exchange
    if exchange.offerer is not None and not exchange.settled:
        table.media.refused(call.key, exchange.offerer)
    if response.status in (408, 481):
        # RFC 3261, 14.1 and 12.2.1.2: the dialog is gone on the far side.
        hang_up(table, call, f"{response.status} to re-INVITE", now)


# -- everything else


def _other(table: CallTable, place: Place, tx: ServerTransaction, request: Request, now: float) -> None:
    call = place.call
    exchange = _exchange(place, request)
    extra = passing.rack(request, place.far.invite_cseq) if request.method == "PRACK" else []
    has_session = request.method in ("UPDATE", "PRACK")
    body = passing.body(table, call, place.side, request, exchange) if has_session else request.body
    if request.method == "UPDATE":
        place.own.refresh(request)
    forwarded = _forward(table, place, request, extra, body)
    if request.method == "REFER":
        call.refer_ids[place.side.other, str(forwarded.cseq.number)] = str(request.cseq.number)
    _observe(table, place, request, now)
    table.note(call, now)
    hop, fallback = place.far.next_hop()
    on_response = partial(_other_response, table, place, tx, exchange)
    table.layer.send_request(forwarded, hop, on_response, now, fallback)


def _exchange(place: Place, request: Request) -> Exchange:
    """Return the offer/answer exchange a PRACK or UPDATE belongs to (RFC 6337, 2.2)."""
    pending = place.call.pending
    if request.method == "PRACK" and pending is not None:
        exchange = pending.exchange
        # The answer to an offer in a reliable 1xx travels in the PRACK; any other SDP in it is a new offer.
        if exchange.open and exchange.offerer is place.side.other:
            return exchange
    return Exchange()


def _observe(table: CallTable, place: Place, request: Request, now: float) -> None:
    """Tell about transfers."""
    call = place.call
    if request.method == "REFER":
        value = request.get("refer-to") or ""
        address = parse_address(value)
        uri, _, query = (address.uri if address else value).partition("?")
        joined = table.joined(passing.replaces_in(query))
        table.tell(CallReferred(call.key, place.side, uri, joined.call.key if joined else None), now)
    elif request.method == "NOTIFY" and request.body[:8].upper() == b"SIP/2.0 ":
        code = request.body[8:11]
        if code.isdigit() and len(code) == 3:
            table.tell(TransferProgress(call.key, int(code)), now)


def _other_response(
    table: CallTable, place: Place, tx: ServerTransaction, exchange: Exchange, response: Response, now: float
) -> None:
    method = tx.request.method
    success = 200 <= response.status < 300
    body = response.body
    if method in ("UPDATE", "PRACK") and success:
        body = passing.body(table, place.call, place.side.other, response, exchange)
    if method == "UPDATE" and success and place.far.refresh(response):
        table.note(place.call, now)
    headers = passing.response_headers(table, place.own.hop, response)
    # RFC 4320, 4.1: a 408 to anything but INVITE only comes too late.
    status = 504 if response.generated and response.status == 408 else response.status
    tx.respond(status, now, response.reason, headers, body)
    if response.status < 300 or method not in ("UPDATE", "PRACK") or place.call.state is not CallState.TALKING:
        return
    if exchange.offerer is place.side and not exchange.settled:
        table.media.refused(place.call.key, place.side)
    if method == "UPDATE" and response.status in (408, 481):
        hang_up(table, place.call, f"{response.status} to UPDATE", now)
