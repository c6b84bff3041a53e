"""Client transactions: the request that is being sent, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from sip_bridge.headers import REASONS
from sip_bridge.hooks import Hop
from sip_bridge.message import Header, Request, Response
from sip_bridge.transaction import START, Action, Event, Kind, State, step
from sip_bridge.transaction_timers import Timer

if TYPE_CHECKING:
    from sip_bridge.transaction_layer import TransactionLayer

OnResponse = Callable[[Response, float], None]
"""Called with every response that matters and the time; timeouts come as a generated 408, dead transports as 503."""

_HOP_HEADERS: Final = frozenset(("from", "call-id", "route", "max-forwards"))


def response_event(status: int) -> Event:
    """Return what a response of this status is to a client transaction."""
    if status < 200:
        return Event.TRYING if status == 100 else Event.PROVISIONAL
    return Event.SUCCESS if status < 300 else Event.FAILURE


class ClientTransaction:
    """One request on its way; `hop` is where it goes, `request` what goes."""

    _interval: float

    __slots__ = (
        "_cancel_headers", "_data", "_deadline", "_interval", "_layer", "_resend", "_response",
        "fallback", "hop", "key", "kind", "on_response", "request", "state",
    )  # fmt: skip

    def __init__(
        self, layer: TransactionLayer, request: Request, branch: str, hop: Hop, on_response: OnResponse,
        fallback: Hop | None,
    ) -> None:  # fmt: skip
        self._layer = layer
        self.request = request
        self.key = (branch, request.method)
        self.hop = hop
        self.fallback = fallback
        self.on_response = on_response
        self.kind = Kind.ICT if request.method == "INVITE" else Kind.NICT
        self.state = START[self.kind]
        self._data = request.encode()
        self._interval = layer.timing.t1
        self._resend: Timer | None = None
        self._deadline: Timer | None = None
        self._response: Response | None = None
        self._cancel_headers: tuple[Header, ...] = ()

    def start(self, now: float) -> None:
        """Send the request for the first time and arm timers A/E and B/F."""
        self._send(now)
        if self.hop.transport == "udp":
            self._arm_resend(self._interval, now)
        self._arm_deadline(self._layer.timing.wait, now)

    def receive(self, response: Response, now: float) -> None:
        """Take in a response from the network."""
        self._response = response
        self.feed(response_event(response.status), now)
        self._response = None

    def cancel(self, now: float, headers: Iterable[Header] = ()) -> None:
        """Ask for a CANCEL, which waits for the first provisional response; `headers` (as Reason) go with it."""
        if self.state is not State.TERMINATED:
            self._cancel_headers = tuple(headers)
            self.feed(Event.CANCEL, now)

    def feed(self, event: Event, now: float) -> None:
        """Take one step of the table."""
        self.state, actions = step(self.kind, self.state, event)
        if self.state is State.TERMINATED:
            self._finish()
        for action in actions:
            _ACTIONS[action](self, now)

    def _finish(self) -> None:
        self._layer.forget_client(self)
        for timer in (self._resend, self._deadline):
            if timer is not None:
                timer.cancel()

    def _send(self, now: float) -> None:
        self._layer.transmit(self.hop, self._data, self.fallback)

    def _send_again(self, now: float) -> None:
        self._layer.counters["retransmitted"] += 1
        self._send(now)

    def _up(self, now: float) -> None:
        assert self._response is not None, "only a response is handed up"
        self.on_response(self._response, now)

    def _tell(self, status: int, now: float) -> None:
        self._layer.counters["timed_out" if status == 408 else "unreachable"] += 1
        kept = [item for item in self.request.headers if item[0] in ("from", "to", "call-id", "cseq")]
        self.on_response(Response(status, REASONS[status], kept, b"", None, self.request.cseq, generated=True), now)

    def _derived(self, method: str, to: str, extra: Iterable[Header]) -> Request:
        """Build the ACK or CANCEL that shares this request's branch (RFC 3261, 9.1 and 17.1.1.3)."""
        request = self.request
        headers = [request.headers[0], *(item for item in request.headers if item[0] in _HOP_HEADERS)]
        headers += [("to", to), ("cseq", f"{request.cseq.number} {method}"), *extra]
        return Request(method, request.uri, headers, b"", request.via, request.cseq._replace(method=method))

    def _ack(self, now: float) -> None:
        assert self._response is not None, "only a response is acknowledged"
        ack = self._derived("ACK", self._response.get("to") or "", ())
        self._layer.transmit(self.hop, ack.encode(), self.fallback)

    def _cancel(self, now: float) -> None:
        request = self._derived("CANCEL", self.request.get("to") or "", self._cancel_headers)
        self._layer.start_client(request, self.key[0], self.hop, _ignore, now, self.fallback)

    def _arm_resend(self, after: float, now: float) -> None:
        self._interval = after
        self._resend = self._layer.timers.arm(now + after, partial(self.feed, Event.RESEND))

    def _arm_deadline(self, after: float, now: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if after > 0:
            self._deadline = self._layer.timers.arm_coarse(now + after, partial(self.feed, Event.DEADLINE))
        else:
            self.feed(Event.DEADLINE, now)

    def _resend_stop(self, now: float) -> None:
        if self._resend is not None:
            self._resend.cancel()

    def _settle(self, full: float, now: float) -> None:
        self._arm_deadline(full if self.hop.transport == "udp" else 0.0, now)


def _ignore(response: Response, now: float) -> None:
    """Take no notice of the answer to a CANCEL: the INVITE's own final response decides."""


_ACTIONS: Final[dict[Action, Callable[[ClientTransaction, float], None]]] = {
    Action.SEND: ClientTransaction._send_again,
    Action.UP: ClientTransaction._up,
    Action.ACK: ClientTransaction._ack,
    Action.CANCEL: ClientTransaction._cancel,
    Action.TIMED_OUT: lambda tx, now: tx._tell(408, now),
    Action.UNREACHABLE: lambda tx, now: tx._tell(503, now),
    Action.RESEND_DOUBLE: lambda tx, now: tx._arm_resend(2 * tx._interval, now),
    Action.RESEND_CAPPED: lambda tx, now: tx._arm_resend(min(2 * tx._interval, tx._layer.timing.t2), now),
    Action.RESEND_T2: lambda tx, now: tx._arm_resend(tx._layer.timing.t2, now),
    Action.RESEND_STOP: ClientTransaction._resend_stop,
    Action.WAIT: lambda tx, now: tx._arm_deadline(tx._layer.timing.wait, now),
    Action.WAIT_UNRELIABLE: lambda tx, now: tx._settle(tx._layer.timing.wait, now),
    Action.SETTLE: lambda tx, now: tx._settle(tx._layer.timing.t4, now),
    Action.RING: lambda tx, now: tx._arm_deadline(tx._layer.timing.ring, now),
}
