"""A stage for plays about SIP: the stack in the middle, a caller and a callee around it, and a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sip_bridge.b2bua.core import B2bua, B2buaSettings
from sip_bridge.hooks import CallEvent, HeaderView, Hop, Refuse, Route, SdpRole, Side
from sip_bridge.message import Request, Response, parse_message
from sip_bridge.registrar import Registrar, RegistrarLimits
from sip_bridge.transaction_layer import Advertised, LayerLimits, TransactionLayer

US = ("127.0.0.1", 5070)
SDP_A = b"v=0\r\no=a 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
SDP_B = b"v=0\r\no=b 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"


class Media:
    """Marks every SDP it sees, and notes who said what."""

    def __init__(self) -> None:
        self.seen: list[tuple[Side, SdpRole]] = []
        self.refusals: list[Side] = []
        self.over: list[str] = []

    def sdp(self, call: str, sender: Side, role: SdpRole, body: bytes) -> bytes:
        self.seen.append((sender, role))
        return body + b"a=anchored\r\n"

    def refused(self, call: str, sender: Side) -> None:
        self.refusals.append(sender)

    def ended(self, call: str) -> None:
        self.over.append(call)


class Observer:
    """Keeps all events."""

    def __init__(self) -> None:
        self.events: list[CallEvent] = []

    def on_call(self, event: CallEvent, now: float) -> None:
        self.events.append(event)

    @property
    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


class OneWay:
    """Routes everything to the callee, unless told to refuse."""

    def __init__(self, hop: Hop) -> None:
        self.hop = hop
        self.refusal: Refuse | None = None
        self.asked: list[tuple[str, str]] = []

    def route(self, method: str, request_uri: str, source: Hop, headers: HeaderView) -> Route | Refuse:
        self.asked.append((method, request_uri))
        return self.refusal or Route(self.hop, f"sip:callee@{self.hop.host}:{self.hop.port}", "in", "out")


@dataclass
class Peer:
    """One end: what it receives is parsed and kept; `send` speaks to the stack."""

    stage: Stage
    hop: Hop
    inbox: list[Request | Response] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    def send(self, data: bytes | Request | Response) -> None:
        raw = data if isinstance(data, bytes) else data.encode()
        self.stage.layer.receive(raw, self.hop, self.stage.now)
        self.stage.deliver()

    def requests(self, method: str) -> list[Request]:
        return [message for message in self.inbox if isinstance(message, Request) and message.method == method]

    def request(self, method: str) -> Request:
        return self.requests(method)[-1]

    def statuses(self, method: str) -> list[int]:
        return [
            message.status for message in self.inbox if isinstance(message, Response) and message.cseq.method == method
        ]

    def response(self, status: int, method: str = "INVITE") -> Response:
        return next(
            message
            for message in reversed(self.inbox)
            if isinstance(message, Response) and (message.status, message.cseq.method) == (status, method)
        )

    def answer(
        self, request: Request, status: int, *extra: str, body: bytes = b"", tag: str = "", contact: bool = True
    ) -> bytes:
        """Build and send a response as this peer."""
        lines = [f"SIP/2.0 {status} Said"]
        lines += [f"Via: {value}" for value in request.all("via")]
        to = request.get("to") or ""
        lines.append(f"From: {request.get('from')}")
        lines.append(f"To: {to}" + ("" if "tag=" in to or not tag else f";tag={tag}"))
        lines += [f"Call-ID: {request.call_id}", f"CSeq: {request.get('cseq')}"]
        if contact:
            lines.append(f"Contact: <sip:peer@{self.hop.host}:{self.hop.port}>")
        data = text(lines, extra, body)
        self.send(data)
        return data


def text(lines: list[str], extra: tuple[str, ...], body: bytes) -> bytes:
    """Put a message together."""
    lines = [*lines, *extra]
    if body and not any(line.lower().startswith("content-type") for line in lines):
        lines.append("Content-Type: application/sdp")
    lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body


class Stage:
    """The stack under test."""

    def __init__(
        self,
        settings: B2buaSettings | None = None,
        limits: LayerLimits | None = None,
        registrar_limits: RegistrarLimits | None = None,
        caller: Hop = Hop("udp", "127.0.0.1", 5061),  # noqa: B008 - frozen
        callee: Hop = Hop("udp", "127.0.0.1", 5080),  # noqa: B008 - frozen
    ) -> None:
        self.now = 100.0
        self.layer = TransactionLayer(Advertised((US,), (US,)), limits=limits or LayerLimits())
        self.router = OneWay(callee)
        self.media = Media()
        self.observer = Observer()
        self.journal: dict[str, dict[str, Any] | None] = {}
        self.bindings: dict[str, dict[str, Any] | None] = {}
        self.registrar = Registrar(
            self.layer, self.router, self._keep(self.bindings), registrar_limits or RegistrarLimits()
        )
        self.b2bua = B2bua(
            self.layer,
            self.router,
            self.media,
            self.observer,
            registrar=self.registrar,
            journal=self._keep(self.journal),
            settings=settings or B2buaSettings(),
        )
        self.caller = Peer(self, caller)
        self.callee = Peer(self, callee)
        self.peers = [self.caller, self.callee]
        self._branches = 0

    @staticmethod
    def _keep(into: dict[str, dict[str, Any] | None]) -> Callable[[str, dict[str, Any] | None, float], None]:
        def keep(key: str, dump: dict[str, Any] | None, now: float) -> None:
            into[key] = dump

        return keep

    def deliver(self) -> None:
        """Hand what the stack sent to the peers."""
        for outgoing in self.layer.drain():
            message = parse_message(outgoing.data)
            for peer in self.peers:
                if outgoing.hop == peer.hop:
                    peer.raw.append(outgoing.data)
                    if isinstance(message, Request | Response):
                        peer.inbox.append(message)
            # The answer to a malformed request repeats what was malformed.
            assert isinstance(message, Request | Response) or outgoing.data.startswith(b"SIP/2.0 400"), message

    def advance(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        until = self.now + seconds
        while (due := self.layer.due()) is not None and due <= until:
            self.now = max(self.now, due)
            self.layer.tick(self.now)
            self.deliver()
        self.now = until

    def branch(self) -> str:
        """Return a branch no test has used."""
        self._branches += 1
        return f"z9hG4bKtest{self._branches}"

    def serial(self) -> int:
        """Return a sequence number higher than any before."""
        self._branches += 1
        return 100 + self._branches

    # -- plays

    def invite(
        self, *extra: str, body: bytes = SDP_A, call_id: str = "c1", uri: str = "sip:bob@127.0.0.1:5070"
    ) -> bytes:
        """Send an INVITE from the caller and return its bytes."""
        data = self.ask("INVITE", 1, *extra, body=body, call_id=call_id, uri=uri)
        self.caller.send(data)
        return data

    def ask(
        self,
        method: str,
        cseq: int,
        *extra: str,
        body: bytes = b"",
        to_tag: str = "",
        call_id: str = "c1",
        uri: str = "sip:bob@127.0.0.1:5070",
        branch: str = "",
    ) -> bytes:
        """Build a request of the caller."""
        hop = self.caller.hop
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{hop.transport.upper()} {hop.host}:{hop.port};rport;branch={branch or self.branch()}",
            "Max-Forwards: 70",
            'From: "A" <sip:alice@127.0.0.1>;tag=at',
            "To: <sip:bob@127.0.0.1>" + (f";tag={to_tag}" if to_tag else ""),
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
        ]
        if not any(line.lower().startswith("contact") for line in extra):
            lines.append(f"Contact: <sip:alice@{hop.host}:{hop.port}>")
        return text(lines, extra, body)

    def back(self, method: str, cseq: int, *extra: str, body: bytes = b"", branch: str = "") -> bytes:
        """Build a request of the callee inside the newest dialog with tag `bt`."""
        invite = self.callee.requests("INVITE")[0]
        hop = self.callee.hop
        lines = [
            f"{method} sip:us@127.0.0.1:5070 SIP/2.0",
            f"Via: SIP/2.0/{hop.transport.upper()} {hop.host}:{hop.port};rport;branch={branch or self.branch()}",
            "Max-Forwards: 70",
            f"From: {invite.get('to')};tag=bt",
            f"To: {invite.get('from')}",
            f"Call-ID: {invite.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:peer@{hop.host}:{hop.port}>",
        ]
        return text(lines, extra, body)

    def ring(self, *extra: str, body: bytes = b"", status: int = 180) -> str:
        """INVITE and a provisional response; returns our tag towards the caller."""
        self.invite(*extra)
        self.callee.answer(self.callee.request("INVITE"), status, body=body, tag="bt")
        return self.caller.response(status).to_tag

    def talk(self, *extra: str) -> str:
        """Establish a call; returns our tag towards the caller."""
        tag = self.ring(*extra)
        self.callee.answer(self.callee.request("INVITE"), 200, body=SDP_B, tag="bt")
        self.caller.send(self.ask("ACK", 1, to_tag=tag))
        return tag

    @property
    def key(self) -> str:
        """The key of the only call."""
        (key,) = self.b2bua.calls
        return key
