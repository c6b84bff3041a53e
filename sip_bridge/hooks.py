"""What the B2BUA asks of its surroundings, and what it tells them.

The B2BUA (a core) knows SIP alone. Media anchoring, routing policy and the record of who is on the line live
behind these protocols; the control process joins them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol


class Side(Enum):
    """One of the two dialogs of a bridged call."""

    CALLER = "a"
    """The dialog that came in: we are its UAS."""
    CALLEE = "b"
    """The dialog we opened: we are its UAC."""

    @property
    def other(self) -> Side:
        """The opposite side."""
        return Side.CALLEE if self is Side.CALLER else Side.CALLER


class SdpRole(Enum):
    """The part an SDP body plays (RFC 3264, RFC 6337)."""

    OFFER = "offer"
    ANSWER = "answer"
    REPEAT = "repeat"
    """A copy of an answer that was already given, as in a 200 after a 183 with SDP."""


@dataclass(frozen=True, slots=True)
class Hop:
    """Where a request goes or came from: transport `udp` or `tcp`, host without brackets, port.

    `local` is the index of our own listening socket of that transport; answers leave through it.
    """

    transport: str
    host: str
    port: int
    local: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Route:
    """The router's answer: forward to `hop` with this request URI, as a call between these trunks."""

    hop: Hop
    request_uri: str
    trunk_in: str
    trunk_out: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """The router's answer when a request may not pass."""

    status: int
    reason: str


Journal = Callable[[str, dict[str, Any] | None, float], None]
"""Called with the key of a call or binding, its new dump as JSON-able data (None: gone) and the time."""


def no_journal(key: str, dump: dict[str, Any] | None, now: float) -> None:
    """Keep nothing."""


class Router(Protocol):
    """Decides where an out-of-dialog request goes; called for INVITE, REGISTER, MESSAGE, SUBSCRIBE and the like."""

    def route(self, method: str, request_uri: str, source: Hop, headers: HeaderView) -> Route | Refuse:
        """Return the next hop, or the refusal to answer with."""


class HeaderView(Protocol):
    """Read access to the headers of a message; names in lower case, compact forms expanded."""

    def get(self, name: str) -> str | None:
        """Return the first value of `name`, or None."""

    def all(self, name: str) -> list[str]:
        """Return every value of `name`, one list item per header line."""


class MediaHook(Protocol):
    """Rewrites SDP so that media is anchored at the bridge; `call` is the B2BUA's key of the call."""

    def sdp(self, call: str, sender: Side, role: SdpRole, body: bytes) -> bytes:
        """Return the body to send on to the other side; the body given back unchanged means: not anchored."""

    def refused(self, call: str, sender: Side) -> None:
        """Tell that the offer last sent by `sender` was refused: the state before it holds again (RFC 3264, 8)."""

    def ended(self, call: str) -> None:
        """Tell that the call is over and its ports can go."""


@dataclass(frozen=True, slots=True)
class CallStarted:
    """An INVITE was accepted for forwarding."""

    call: str
    route: Route
    source: Hop
    request_uri: str
    headers: Mapping[str, tuple[str, ...]]
    caller_call_id: str
    callee_call_id: str


@dataclass(frozen=True, slots=True)
class CallProgress:
    """A provisional response was relayed; `early_media` says whether it carried SDP."""

    call: str
    status: int
    early_media: bool


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The callee answered with a 2xx that was relayed."""

    call: str


@dataclass(frozen=True, slots=True)
class CallReferred:
    """A party asked for a transfer (REFER) or joined by Replaces; `joins` names the other call if we carry it."""

    call: str
    sender: Side
    target: str
    joins: str | None


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """A NOTIFY of a transfer's progress was relayed (RFC 3515 sipfrag status)."""

    call: str
    status: int


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over; `status` is the final response to the INVITE, or 200 for a hang-up after answer."""

    call: str
    status: int
    reason: str
    by: Side | None


CallEvent = CallStarted | CallProgress | CallAnswered | CallReferred | TransferProgress | CallEnded


class CallObserver(Protocol):
    """Is told, in order, what happens to calls."""

    def on_call(self, event: CallEvent, now: float) -> None:
        """Take note of `event` at monotonic time `now` (seconds)."""
