"""The transaction layer: matches messages to transactions, starts new ones, queues what is to be sent.

It does no I/O: the shell hands in datagrams with `receive`, calls `tick` when `due` has come, and sends what `drain`
returns. Everything is bounded: past `LayerLimits` new requests are refused without keeping anything.
"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import Final, NamedTuple, Protocol

from sip_bridge.headers import METHODS
from sip_bridge.hooks import Hop
from sip_bridge.message import BadMessage, Request, Response, parse_message, reply
from sip_bridge.transaction import Event, State, Timing
from sip_bridge.transaction_client import ClientTransaction, OnResponse
from sip_bridge.transaction_server import ServerKey, ServerTransaction
from sip_bridge.transaction_timers import TimerQueue
from sip_bridge.uri import hostport

COOKIE: Final = "z9hG4bK"
"""Start of every branch that is unique (RFC 3261, 8.1.1.7)."""
RANDOM_POOL: Final = 240
"""Random bytes drawn at once: ten calls' worth."""
MIN_DATAGRAM: Final = 16
"""Shorter ones are keep-alives: no SIP message fits."""


class Outgoing(NamedTuple):
    """Bytes for `hop`; `fallback` is where to connect when a stream to `hop` is gone."""

    hop: Hop
    data: bytes
    fallback: Hop | None


@dataclass(frozen=True, slots=True)
class Advertised:
    """The address others reach each of our sockets at, in the order of the sockets."""

    udp: tuple[tuple[str, int], ...]
    tcp: tuple[tuple[str, int], ...] = ()

    def of(self, hop: Hop) -> tuple[str, int]:
        """Return our host and port towards `hop`: the socket it names, or the first of the same IP version."""
        own = (self.tcp or self.udp) if hop.transport == "tcp" else self.udp
        chosen = own[hop.local] if hop.local < len(own) else own[0]
        six = ":" in hop.host
        if (":" in chosen[0]) == six:
            return chosen
        return next((address for address in own if (":" in address[0]) == six), chosen)


@dataclass(frozen=True, slots=True)
class LayerLimits:
    """How many transactions may exist at once."""

    server: int = 40_000
    """200 calls/s leave two server transactions each for 32 s: 12,800; three times that."""
    client: int = 40_000
    retry_after: int = 5
    """Seconds the refused are asked to wait."""


STANDARD_TIMING: Final = Timing()
STANDARD_LIMITS: Final = LayerLimits()


class TransactionUser(Protocol):
    """Who is told about requests (RFC 3261, 5)."""

    def on_request(self, tx: ServerTransaction, request: Request, now: float) -> None:
        """Take a new request, which must be answered through `tx`."""

    def on_ack(self, request: Request, now: float) -> None:
        """Take an ACK that belongs to a 2xx."""


class TransactionLayer:
    """All transactions of one stack; set `user` before the first `receive`."""

    timing: Timing

    def __init__(
        self, advertised: Advertised, timing: Timing = STANDARD_TIMING, limits: LayerLimits = STANDARD_LIMITS
    ) -> None:
        self.advertised = advertised
        self.timing = timing
        self.limits = limits
        self.timers = TimerQueue()
        self.user: TransactionUser | None = None
        self.counters: Counter[str] = Counter()
        self.clients: dict[tuple[str, str], ClientTransaction] = {}
        self.servers: dict[ServerKey, ServerTransaction] = {}
        self._outgoing: list[Outgoing] = []
        self._seed = secrets.token_hex(6)
        self._serial = count(1)
        self._random = b""

    # -- what the shell calls

    def receive(self, data: bytes, source: Hop, now: float) -> None:
        """Take one datagram, or one message cut from a stream."""
        if len(data) < MIN_DATAGRAM:
            return
        self.counters["received"] += 1
        message = parse_message(data, source.transport == "tcp")
        if isinstance(message, Request):
            self._request(message, source, now)
        elif isinstance(message, Response):
            self._response(message, now)
        else:
            self._refuse(message, source)

    def due(self) -> float | None:
        """Return when `tick` must be called, None for never."""
        return self.timers.due()

    def tick(self, now: float) -> None:
        """Let timers that are due fire."""
        self.timers.tick(now)

    def drain(self) -> list[Outgoing]:
        """Return what is to be sent, in order, and forget it."""
        out = self._outgoing
        self._outgoing = []
        return out

    def broken(self, hop: Hop, now: float) -> None:
        """Note that nothing can be delivered to `hop` (stream transports)."""
        for tx in [tx for tx in self.clients.values() if hop in (tx.hop, tx.fallback)]:
            if tx.state is not State.TERMINATED:
                tx.feed(Event.BROKEN, now)

    # -- what users call

    def send_request(
        self, request: Request, hop: Hop, on_response: OnResponse, now: float, fallback: Hop | None = None
    ) -> ClientTransaction:
        """Send `request` (without Via: it is added here) to `hop` as a new client transaction."""
        branch = self.branch()
        self._add_via(request, branch, hop)
        return self.start_client(request, branch, hop, on_response, now, fallback)

    def send_ack(self, request: Request, hop: Hop, fallback: Hop | None = None) -> Outgoing:
        """Send the ACK to a 2xx; the returned value can be sent again with `repeat`."""
        self._add_via(request, self.branch(), hop)
        outgoing = Outgoing(hop, request.encode(), fallback)
        self._outgoing.append(outgoing)
        return outgoing

    def repeat(self, outgoing: Outgoing) -> None:
        """Send the same bytes again."""
        self._outgoing.append(outgoing)

    def contact(self, hop: Hop, user: str = "") -> str:
        """Return our Contact value towards `hop`."""
        host, port = self.advertised.of(hop)
        parameter = ";transport=tcp" if hop.transport == "tcp" else ""
        return f"<sip:{user}{'@' if user else ''}{hostport(host, port)}{parameter}>"

    def branch(self) -> str:
        """Return a new branch: unique by the serial, unguessable by the seed."""
        return f"{COOKIE}{self._seed}{next(self._serial):x}"

    # -- what transactions call

    def start_client(
        self, request: Request, branch: str, hop: Hop, on_response: OnResponse, now: float, fallback: Hop | None
    ) -> ClientTransaction:
        """Start a client transaction for a request that has its Via."""
        tx = ClientTransaction(self, request, branch, hop, on_response, fallback)
        self.clients[tx.key] = tx
        tx.start(now)
        return tx

    def transmit(self, hop: Hop, data: bytes, fallback: Hop | None) -> None:
        """Queue bytes for the shell."""
        self._outgoing.append(Outgoing(hop, data, fallback))

    def forget_client(self, tx: ClientTransaction) -> None:
        """Take a finished transaction out of the table."""
        self.clients.pop(tx.key, None)

    def forget_server(self, tx: ServerTransaction) -> None:
        """Take a finished transaction out of the table."""
        self.servers.pop(tx.key, None)

    # -- inside

    def _add_via(self, request: Request, branch: str, hop: Hop) -> None:
        host, port = self.advertised.of(hop)
        text = f"SIP/2.0/{hop.transport.upper()} {hostport(host, port)};rport;branch={branch}"
        request.headers.insert(0, ("via", text))

    def _response(self, response: Response, now: float) -> None:
        via = response.via
        tx = self.clients.get((via.branch, response.cseq.method)) if via else None
        if tx is None:
            # RFC 3261, 17.1.3 and 18.1.2: of no transaction of ours, so nobody's. A late 2xx is none of our calls'.
            self.counters["stray_responses"] += 1
        else:
            tx.receive(response, now)

    def _request(self, request: Request, source: Hop, now: float) -> None:
        hop = self._answer_hop(request, source)
        request.received_from(source.host, source.port)
        key = self._server_key(request, request.method)
        tx = self.servers.get(key)
        if request.method == "ACK":
            self._ack(request, tx, now)
        elif tx is not None:
            self.counters["repeated_requests"] += 1
            tx.feed(Event.AGAIN, now)
        elif len(self.servers) >= self.limits.server or len(self.clients) >= self.limits.client:
            self.counters["overload"] += 1
            wait = ("retry-after", str(self.limits.retry_after))
            self.transmit(hop, reply(request, 503, headers=(wait,), to_tag=self.new_tag()).encode(), None)
        else:
            tx = self.servers[key] = ServerTransaction(self, key, request, source, hop)
            self._new(tx, request, now)

    def _new(self, tx: ServerTransaction, request: Request, now: float) -> None:
        if request.method == "CANCEL":
            self._cancel(tx, request, now)
        elif self.user is not None:
            self.user.on_request(tx, request, now)

    def _ack(self, request: Request, tx: ServerTransaction | None, now: float) -> None:
        if tx is not None and tx.state is State.COMPLETED:
            tx.ack(now)
        elif self.user is not None:
            self.user.on_ack(request, now)

    def _cancel(self, tx: ServerTransaction, request: Request, now: float) -> None:
        """RFC 3261, 9.2: answer at once, then cancel the INVITE unless it is already answered."""
        invite = self.servers.get(self._server_key(request, "INVITE"))
        tx.respond(481 if invite is None else 200, now, to_tag=self.new_tag())
        if invite is not None and invite.open:
            invite.on_cancel(request, now)

    def new_tag(self) -> str:
        """Return a new From or To tag (RFC 3261, 19.3: at least 32 bits of randomness)."""
        return self.new_id(6)

    def new_id(self, size: int) -> str:
        """Return `size` random bytes in hexadecimal; the system is asked for many at once, a call needs four."""
        if len(self._random) < size:
            self._random = secrets.token_bytes(RANDOM_POOL)
        chosen, self._random = self._random[:size], self._random[size:]
        return chosen.hex()

    def _server_key(self, request: Request, method: str) -> ServerKey:
        via = request.via
        assert via is not None, "a parsed request has a Via"
        name = "INVITE" if method == "ACK" else method
        if via.branch.startswith(COOKIE) and len(via.branch) > len(COOKIE):
            return (via.branch, via.host, via.port, name)
        # RFC 3261, 17.2.3: the rules of RFC 2543 for a branch without cookie. Not the whole Via: some peers
        # copy our `received` into their ACK.
        return (request.call_id, request.from_tag, request.cseq.number, via.host, via.port, via.branch, name)

    def _answer_hop(self, request: Request, source: Hop) -> Hop:
        """Where the responses go (RFC 3261, 18.2.2; RFC 3581, 4): to the source, whatever Via claims."""
        via = request.via
        if via is None or via.rport or source.transport == "tcp":
            return source
        port = via.port or 5060
        return source if port == source.port else Hop(source.transport, source.host, port, source.local)

    def _refuse(self, bad: BadMessage, source: Hop) -> None:
        request = bad.request
        # RFC 3261, 17.1.1.3: an ACK is never answered.
        if bad.status is None or request is None or request.method == "ACK":
            self.counters["dropped"] += 1
            return
        self.counters["refused"] += 1
        hop = self._answer_hop(request, source)
        request.received_from(source.host, source.port)
        self.transmit(hop, reply(request, bad.status, bad.reason, to_tag=self.new_tag()).encode(), None)


def allow_header() -> tuple[str, str]:
    """Return the Allow header of everything the bridge passes."""
    return ("allow", ", ".join(METHODS))
