"""A SIP user agent on the bridge's own stack: enough of a phone, or of a telephone system, to make real calls.

It is a core: what happens is told to a `UaObserver`, what is to be sent is queued in the transaction layer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from sip_bridge.dialog import Dialog
from sip_bridge.hooks import Hop
from sip_bridge.message import Header, Request, Response
from sip_bridge.sdp import BadSdp, Direction, parse
from sip_bridge.transaction_client import ClientTransaction
from sip_bridge.transaction_layer import TransactionLayer, allow_header
from sip_bridge.transaction_server import ServerTransaction
from sip_bridge.uri import parse_address, parse_uri

SDP_TYPE: Final = ("content-type", "application/sdp")
ANSWER: Final = {Direction.SENDONLY: Direction.RECVONLY, Direction.RECVONLY: Direction.SENDONLY}
"""The direction that answers an offered one where it is another (RFC 3264, 6.1)."""


class UaState(Enum):
    """The life of a call as its phone sees it."""

    CALLING = "calling"
    RINGING = "ringing"
    UP = "up"
    ENDED = "ended"


@dataclass(slots=True, eq=False)
class UaCall:
    """One call of this user agent; `user` is the local user part."""

    user: str
    dialog: Dialog
    incoming: bool
    rtp_port: int
    state: UaState
    invite: Request | None = None
    remote_rtp: tuple[str, int] | None = None
    remote_listens: bool = True
    """False while the other side has us on hold."""
    holding: bool = False
    invite_tx: ServerTransaction | None = None
    client_tx: ClientTransaction | None = None
    sdp_version: int = field(default=1)


class UaObserver(Protocol):
    """Is told what happens to calls."""

    def on_incoming(self, call: UaCall, now: float) -> None:
        """A call rings here; answer it with `UserAgent.answer`."""

    def on_up(self, call: UaCall, now: float) -> None:
        """The call is answered and has media."""

    def on_ended(self, call: UaCall, now: float) -> None:
        """The call is over."""


class UserAgent:
    """All calls of one transaction layer; also answers REGISTER like a small registrar."""

    def __init__(self, layer: TransactionLayer, media_host: str, observer: UaObserver) -> None:
        self._layer = layer
        self._host = media_host
        self._observer = observer
        self._calls: dict[tuple[str, str], UaCall] = {}
        self.bindings: dict[str, tuple[str, Hop]] = {}
        """Who is registered here: user -> (Contact URI, where the REGISTER came from)."""
        self.registered: set[str] = set()
        """The users whose own registration was confirmed."""
        layer.user = self

    @property
    def calls(self) -> list[UaCall]:
        """The live calls."""
        return list(self._calls.values())

    # -- what the phone's owner does

    def register(self, user: str, domain: str, hop: Hop, now: float, expires: int = 3600) -> None:
        """Register `user` at `domain` through `hop`; confirmed once `user` is in `registered`."""
        aor = f"<sip:{user}@{domain}>"
        dialog = Dialog.as_client(
            self._layer.new_tag() + "@demo", aor, self._layer.new_tag(), aor, f"sip:{domain}", hop
        )
        request = dialog.request("REGISTER", self._layer.contact(hop, user), [("expires", str(expires))])

        def answered(response: Response, now: float) -> None:
            if 200 <= response.status < 300:
                self.registered.add(user)

        self._layer.send_request(request, hop, answered, now)

    def call(
        self, user: str, name: str, target: str, domain: str, hop: Hop, rtp_port: int, now: float,
        headers: tuple[Header, ...] = (),
    ) -> UaCall:  # fmt: skip
        """Call the URI `target` through `hop` as `user`@`domain`, shown as `name`."""
        local = f'"{name}" <sip:{user}@{domain}>'
        tag, call_id = self._layer.new_tag(), self._layer.new_tag() + "@demo"
        dialog = Dialog.as_client(call_id, local, tag, f"<{target}>", target, hop)
        call = UaCall(user, dialog, False, rtp_port, UaState.CALLING)
        self._calls[dialog.call_id, dialog.local_tag] = call
        body = self._sdp(call, Direction.SENDRECV)
        invite = dialog.request("INVITE", self._layer.contact(hop, user), [*headers, allow_header(), SDP_TYPE], body)

        def answered(response: Response, now: float) -> None:
            self._invited(call, response, now)

        call.client_tx = self._layer.send_request(invite, hop, answered, now)
        return call

    def ring(self, call: UaCall, now: float) -> None:
        """Tell the caller that it rings here."""
        self._respond(call, 180, now)

    def answer(self, call: UaCall, rtp_port: int, now: float) -> None:
        """Pick up."""
        call.rtp_port = rtp_port
        call.state = UaState.UP
        self._respond(call, 200, now, self._sdp(call, Direction.SENDRECV))
        self._observer.on_up(call, now)

    def hold(self, call: UaCall, on: bool, now: float) -> None:
        """Put the other side on hold, or take it back."""
        if call.state is not UaState.UP or call.client_tx is not None or call.holding == on:
            return
        call.holding = on
        call.sdp_version += 1
        body = self._sdp(call, Direction.SENDONLY if on else Direction.SENDRECV)
        self._inside(call, "INVITE", now, [SDP_TYPE], body)

    def hang_up(self, call: UaCall, now: float) -> None:
        """End the call, whatever its state."""
        if call.state is UaState.CALLING and call.client_tx is not None:
            call.client_tx.cancel(now)
        elif call.state is UaState.RINGING:
            self._respond(call, 486, now)
            self._end(call, now)
        elif call.state is UaState.UP:
            self._inside(call, "BYE", now)
            self._end(call, now)

    # -- what the network brings (TransactionUser)

    def on_request(self, tx: ServerTransaction, request: Request, now: float) -> None:
        """Take a new request."""
        if request.method == "REGISTER":
            self._registered(tx, request, now)
        elif not request.to_tag and request.method == "INVITE":
            self._incoming(tx, request, now)
        elif (call := self._calls.get((request.call_id, request.to_tag))) is None:
            tx.respond(481 if request.to_tag else 405, now, to_tag=self._layer.new_tag())
        elif not call.dialog.accept(request):
            tx.respond(500, now)
        else:
            self._in_dialog(call, tx, request, now)

    def on_ack(self, request: Request, now: float) -> None:
        """Take the ACK to a 2xx of ours."""
        call = self._calls.get((request.call_id, request.to_tag))
        if call is not None and call.invite_tx is not None:
            call.invite_tx.ack(now)

    # -- inside

    def _registered(self, tx: ServerTransaction, request: Request, now: float) -> None:
        to = parse_address(request.get("to") or "")
        uri = parse_uri(to.uri) if to else None
        contact = request.contact
        if uri is None or contact is None:
            tx.respond(400, now, to_tag=self._layer.new_tag())
            return
        self.bindings[uri.user] = (contact, tx.source)
        expires = request.get("expires") or "3600"
        tx.respond(200, now, headers=[("contact", f"<{contact}>;expires={expires}")], to_tag=self._layer.new_tag())

    def _incoming(self, tx: ServerTransaction, request: Request, now: float) -> None:
        uri = parse_uri(request.uri)
        dialog = Dialog.as_server(request, self._layer.new_tag(), tx.source)
        call = UaCall(uri.user if uri else "", dialog, True, 0, UaState.RINGING, request)
        call.invite_tx = tx
        self._calls[dialog.call_id, dialog.local_tag] = call
        self._take_sdp(call, request.body)
        tx.on_cancel = lambda cancel, now: self._cancelled(call, now)
        tx.respond(100, now)
        self._observer.on_incoming(call, now)

    def _cancelled(self, call: UaCall, now: float) -> None:
        self._respond(call, 487, now)
        self._end(call, now)

    def _in_dialog(self, call: UaCall, tx: ServerTransaction, request: Request, now: float) -> None:
        if request.method == "BYE":
            tx.respond(200, now)
            self._end(call, now)
        elif request.method != "INVITE":
            tx.respond(200, now)
        elif call.client_tx is not None:
            tx.respond(491, now)  # RFC 3261, 14.2: a re-INVITE of ours is pending
        else:
            self._reinvited(call, tx, request, now)

    def _reinvited(self, call: UaCall, tx: ServerTransaction, request: Request, now: float) -> None:
        call.dialog.refresh(request)
        wanted = self._take_sdp(call, request.body)
        call.invite_tx = tx
        call.sdp_version += 1
        headers = [("contact", self._layer.contact(call.dialog.hop, call.user)), SDP_TYPE]
        tx.respond(200, now, headers=headers, body=self._sdp(call, ANSWER.get(wanted, wanted)))

    def _invited(self, call: UaCall, response: Response, now: float) -> None:
        if response.status < 200:
            if response.to_tag:
                call.dialog.remote_tag = response.to_tag
            return
        call.client_tx = None
        if response.status >= 300:
            if call.state is UaState.CALLING:
                self._end(call, now)
            else:
                call.holding = not call.holding  # RFC 3261, 14.1: a refused re-INVITE changes nothing
            return
        first = call.state is UaState.CALLING
        if first:
            call.dialog.remote_tag = response.to_tag
            call.dialog.learn(response)
        self._take_sdp(call, response.body)
        hop, fallback = call.dialog.next_hop()
        ack = call.dialog.request("ACK", self._layer.contact(hop, call.user), cseq=call.dialog.invite_cseq)
        self._layer.send_ack(ack, hop, fallback)
        if first:
            call.state = UaState.UP
            self._observer.on_up(call, now)

    def _inside(
        self, call: UaCall, method: str, now: float, headers: list[Header] | None = None, body: bytes = b""
    ) -> None:
        hop, fallback = call.dialog.next_hop()
        request = call.dialog.request(method, self._layer.contact(hop, call.user), headers or [], body)

        def answered(response: Response, now: float) -> None:
            if method == "INVITE":
                self._invited(call, response, now)

        tx = self._layer.send_request(request, hop, answered, now, fallback)
        if method == "INVITE":
            call.client_tx = tx

    def _respond(self, call: UaCall, status: int, now: float, body: bytes = b"") -> None:
        if call.invite_tx is None:
            return
        headers = [("contact", self._layer.contact(call.dialog.hop, call.user)), allow_header()]
        headers += [SDP_TYPE] if body else []
        call.invite_tx.respond(status, now, headers=headers, body=body, to_tag=call.dialog.local_tag)

    def _end(self, call: UaCall, now: float) -> None:
        call.state = UaState.ENDED
        del self._calls[call.dialog.call_id, call.dialog.local_tag]
        self._observer.on_ended(call, now)

    def _take_sdp(self, call: UaCall, body: bytes) -> Direction:
        """Note where the other side listens; return the direction it wrote."""
        sdp = parse(body)
        if isinstance(sdp, BadSdp) or not sdp.media:
            return Direction.SENDRECV
        audio = sdp.media[0]
        address = sdp.address(audio)
        if address is not None and audio.port:
            call.remote_rtp = (address, audio.port)
        direction = sdp.direction(audio)
        call.remote_listens = direction.receives
        return direction

    def _sdp(self, call: UaCall, direction: Direction) -> bytes:
        lines = [
            "v=0",
            f"o=- {call.rtp_port} {call.sdp_version} IN IP4 {self._host}",
            "s=-",
            f"c=IN IP4 {self._host}",
            "t=0 0",
            f"m=audio {call.rtp_port} RTP/AVP 0 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-15",
            "a=ptime:20",
            f"a={direction.value}",
        ]
        return ("\r\n".join(lines) + "\r\n").encode()
