"""Server transactions: a request that came in, and the responses to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from sip_bridge.hooks import Hop
from sip_bridge.message import Header, Request, reply
from sip_bridge.transaction import START, Action, Event, Kind, State, step
from sip_bridge.transaction_timers import Timer

if TYPE_CHECKING:
    from sip_bridge.transaction_layer import TransactionLayer

ServerKey = tuple[object, ...]


def _nothing(now: float) -> None:
    """Do nothing."""


def _not_cancelled(request: Request, now: float) -> None:
    """Do nothing."""


class ServerTransaction:
    """One request received from `source` and answered to `hop`; its user sets `on_cancel` and `on_no_ack`."""

    _interval: float

    __slots__ = (
        "_deadline", "_interval", "_last", "_layer", "_resend",
        "hop", "key", "kind", "on_cancel", "on_no_ack", "request", "source", "state",
    )  # fmt: skip

    def __init__(self, layer: TransactionLayer, key: ServerKey, request: Request, source: Hop, hop: Hop) -> None:
        self._layer = layer
        self.key = key
        self.request = request
        self.source = source
        self.hop = hop
        self.kind = Kind.IST if request.method == "INVITE" else Kind.NIST
        self.state = START[self.kind]
        self.on_cancel: Callable[[Request, float], None] = _not_cancelled
        self.on_no_ack: Callable[[float], None] = _nothing
        self._last = b""
        self._interval = layer.timing.t1
        self._resend: Timer | None = None
        self._deadline: Timer | None = None

    @property
    def open(self) -> bool:
        """Whether no final response was given yet."""
        return self.state in (State.TRYING, State.PROCEEDING)

    def respond(
        self,
        status: int,
        now: float,
        reason: str = "",
        headers: Iterable[Header] = (),
        body: bytes = b"",
        to_tag: str = "",
    ) -> bool:
        """Answer; False when a final response was given before, and nothing is sent."""
        if not self.open:
            return False
        self._last = reply(self.request, status, reason, headers, body, to_tag).encode()
        if status < 200:
            self.feed(Event.ANSWER_PROVISIONAL, now)
        else:
            self.feed(Event.ANSWER_SUCCESS if status < 300 else Event.ANSWER_FAILURE, now)
        return True

    def ack(self, now: float) -> None:
        """Note the ACK to the final response; after a 2xx the user calls this, who knows the dialog."""
        if self.state is not State.TERMINATED:
            self.feed(Event.ACK, now)

    def feed(self, event: Event, now: float) -> None:
        """Take one step of the table."""
        self.state, actions = step(self.kind, self.state, event)
        if self.state is State.TERMINATED:
            self._finish()
        for action in actions:
            _ACTIONS[action](self, now)

    def _finish(self) -> None:
        self._layer.forget_server(self)
        self.on_cancel = _not_cancelled
        for timer in (self._resend, self._deadline):
            if timer is not None:
                timer.cancel()

    def _send(self, now: float) -> None:
        if self._last:
            self._layer.transmit(self.hop, self._last, None)

    def _no_ack(self, now: float) -> None:
        self._layer.counters["never_acknowledged"] += 1
        self.on_no_ack(now)

    def _arm_resend(self, after: float, now: float) -> None:
        # RFC 3261, 17.2.1: timer G runs over unreliable transports only; a 2xx is repeated over all (13.3.1.4).
        if self.hop.transport == "udp" or self.state is State.ACCEPTED:
            self._interval = after
            self._resend = self._layer.timers.arm(now + after, partial(self.feed, Event.RESEND))

    def _resend_stop(self, now: float) -> None:
        if self._resend is not None:
            self._resend.cancel()
        self._last = b""  # nobody will ask for it again

    def _arm_deadline(self, after: float, now: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if after > 0:
            self._deadline = self._layer.timers.arm_coarse(now + after, partial(self.feed, Event.DEADLINE))
        else:
            self.feed(Event.DEADLINE, now)

    def _settle(self, full: float, now: float) -> None:
        self._arm_deadline(full if self.hop.transport == "udp" else 0.0, now)


_ACTIONS: Final[dict[Action, Callable[[ServerTransaction, float], None]]] = {
    Action.SEND: ServerTransaction._send,
    Action.NO_ACK: ServerTransaction._no_ack,
    Action.RESEND_FIRST: lambda tx, now: tx._arm_resend(tx._layer.timing.t1, now),
    Action.RESEND_CAPPED: lambda tx, now: tx._arm_resend(min(2 * tx._interval, tx._layer.timing.t2), now),
    Action.RESEND_STOP: ServerTransaction._resend_stop,
    Action.WAIT: lambda tx, now: tx._arm_deadline(tx._layer.timing.wait, now),
    Action.WAIT_UNRELIABLE: lambda tx, now: tx._settle(tx._layer.timing.wait, now),
    Action.SETTLE: lambda tx, now: tx._settle(tx._layer.timing.t4, now),
}
