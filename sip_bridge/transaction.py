"""The four transaction state machines of RFC 3261, 17 and RFC 6026 as one table.

`TABLE[kind, state, event]` gives the next state and the actions on the way. An event that is not in the table for a
state is an error of ours and raises `IllegalEvent`; everything the network can do is in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Kind(IntEnum):
    """INVITE client, other client, INVITE server, other server."""

    ICT = 0
    NICT = 1
    IST = 2
    NIST = 3


class State(IntEnum):
    """States of all four machines."""

    CALLING = 0
    """ICT: nothing heard yet."""
    CANCELLING = 1
    """ICT: CANCEL is wanted but must wait for the first provisional response (RFC 3261, 9.1)."""
    TRYING = 2
    PROCEEDING = 3
    CANCELLED = 4
    """ICT: CANCEL is on its way; the final response has 64*T1 to come."""
    COMPLETED = 5
    ACCEPTED = 6
    """A 2xx passed (RFC 6026): the client hands up every further one, the server repeats it until the ACK."""
    ACKED = 7
    """IST: the 2xx was acknowledged; repeated INVITEs are absorbed until timer L."""
    CONFIRMED = 8
    TERMINATED = 9


class Event(IntEnum):
    """What can happen to a transaction."""

    TRYING = 0
    """A 100 came."""
    PROVISIONAL = 1
    """A 101 to 199 came."""
    SUCCESS = 2
    FAILURE = 3
    """A 3xx to 6xx came."""
    CANCEL = 4
    """The user wants to cancel."""
    BROKEN = 5
    """The transport cannot deliver."""
    AGAIN = 6
    """The request came again."""
    ACK = 7
    ANSWER_PROVISIONAL = 8
    """The user responds with 1xx."""
    ANSWER_SUCCESS = 9
    ANSWER_FAILURE = 10
    RESEND = 11
    """Timer A, E or G."""
    DEADLINE = 12
    """Timer B, C, D, F, H, I, J, K, L or M: the one that is running."""


class Action(IntEnum):
    """What the owner of the machine has to do."""

    SEND = 0
    """Send the request, or the last response."""
    UP = 1
    """Hand the response to the user."""
    ACK = 2
    """Acknowledge a failure, same branch (RFC 3261, 17.1.1.3)."""
    CANCEL = 3
    TIMED_OUT = 4
    """Tell the user 408."""
    UNREACHABLE = 5
    """Tell the user 503."""
    NO_ACK = 6
    """Tell the user that the 2xx was never acknowledged."""
    RESEND_FIRST = 7
    """Arm the resend timer with T1."""
    RESEND_DOUBLE = 8
    """Arm it with twice the last interval."""
    RESEND_CAPPED = 9
    """The same, at most T2."""
    RESEND_T2 = 10
    RESEND_STOP = 11
    WAIT = 12
    """Deadline 64*T1."""
    WAIT_UNRELIABLE = 13
    """Deadline 64*T1 over UDP, at once over TCP."""
    SETTLE = 14
    """Deadline T4 over UDP, at once over TCP."""
    RING = 15
    """Deadline timer C."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The base timers in seconds (RFC 3261, 17.1.1.1 and table 4)."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    ring: float = 181.0
    """Timer C, which must be more than three minutes (RFC 3261, 16.6.11)."""

    @property
    def wait(self) -> float:
        """Timers B, D, F, H, J, L, M."""
        return 64 * self.t1


class IllegalEvent(AssertionError):
    """An event the machine cannot have met: an error of ours."""

    def __init__(self, kind: Kind, state: State, event: Event) -> None:
        super().__init__(f"{event.name} cannot happen to {kind.name} in {state.name}")


Step = tuple[State, tuple[Action, ...]]
_K, _S, _E, _A = Kind, State, Event, Action


def _client_invite() -> dict[tuple[Kind, State, Event], Step]:
    table: dict[tuple[Kind, State, Event], Step] = {}

    def row(state: State, event: Event, then: State, *actions: Action) -> None:
        table[_K.ICT, state, event] = (then, actions)

    for waiting in (_S.CALLING, _S.CANCELLING):
        row(waiting, _E.RESEND, waiting, _A.SEND, _A.RESEND_DOUBLE)
        row(waiting, _E.DEADLINE, _S.TERMINATED, _A.TIMED_OUT)
        row(waiting, _E.BROKEN, _S.TERMINATED, _A.UNREACHABLE)
    for event in (_E.TRYING, _E.PROVISIONAL):
        row(_S.CALLING, event, _S.PROCEEDING, _A.RESEND_STOP, _A.RING, _A.UP)
        row(_S.CANCELLING, event, _S.CANCELLED, _A.RESEND_STOP, _A.CANCEL, _A.WAIT, _A.UP)
        row(_S.CANCELLED, event, _S.CANCELLED, _A.UP)
        row(_S.COMPLETED, event, _S.COMPLETED)
        row(_S.ACCEPTED, event, _S.ACCEPTED)
    row(_S.CALLING, _E.CANCEL, _S.CANCELLING)
    row(_S.CANCELLING, _E.CANCEL, _S.CANCELLING)
    row(_S.PROCEEDING, _E.TRYING, _S.PROCEEDING, _A.UP)
    # RFC 3261, 16.7, 2: every provisional response but 100 starts timer C afresh.
    row(_S.PROCEEDING, _E.PROVISIONAL, _S.PROCEEDING, _A.RING, _A.UP)
    row(_S.PROCEEDING, _E.CANCEL, _S.CANCELLED, _A.CANCEL, _A.WAIT)
    # RFC 3261, 16.8: timer C fired and a provisional response had come, so cancel.
    row(_S.PROCEEDING, _E.DEADLINE, _S.CANCELLED, _A.CANCEL, _A.WAIT)
    row(_S.CANCELLED, _E.CANCEL, _S.CANCELLED)
    # RFC 3261, 9.1: 64*T1 after the CANCEL the transaction counts as cancelled.
    row(_S.CANCELLED, _E.DEADLINE, _S.TERMINATED, _A.TIMED_OUT)
    for open_state in (_S.CALLING, _S.CANCELLING, _S.PROCEEDING, _S.CANCELLED):
        row(open_state, _E.SUCCESS, _S.ACCEPTED, _A.RESEND_STOP, _A.WAIT, _A.UP)
        row(open_state, _E.FAILURE, _S.COMPLETED, _A.RESEND_STOP, _A.ACK, _A.WAIT_UNRELIABLE, _A.UP)
    for state in (_S.PROCEEDING, _S.CANCELLED, _S.COMPLETED, _S.ACCEPTED):
        row(state, _E.BROKEN, state)
    row(_S.COMPLETED, _E.FAILURE, _S.COMPLETED, _A.ACK)
    row(_S.COMPLETED, _E.SUCCESS, _S.COMPLETED)
    row(_S.ACCEPTED, _E.SUCCESS, _S.ACCEPTED, _A.UP)
    row(_S.ACCEPTED, _E.FAILURE, _S.ACCEPTED)
    for state in (_S.COMPLETED, _S.ACCEPTED):
        row(state, _E.CANCEL, state)
        row(state, _E.DEADLINE, _S.TERMINATED)
    return table


def _client_other() -> dict[tuple[Kind, State, Event], Step]:
    table: dict[tuple[Kind, State, Event], Step] = {}

    def row(state: State, event: Event, then: State, *actions: Action) -> None:
        table[_K.NICT, state, event] = (then, actions)

    row(_S.TRYING, _E.RESEND, _S.TRYING, _A.SEND, _A.RESEND_CAPPED)
    row(_S.PROCEEDING, _E.RESEND, _S.PROCEEDING, _A.SEND, _A.RESEND_T2)
    row(_S.TRYING, _E.BROKEN, _S.TERMINATED, _A.UNREACHABLE)
    row(_S.PROCEEDING, _E.BROKEN, _S.PROCEEDING)
    for state in (_S.TRYING, _S.PROCEEDING):
        row(state, _E.TRYING, _S.PROCEEDING)
        row(state, _E.PROVISIONAL, _S.PROCEEDING, _A.UP)
        row(state, _E.SUCCESS, _S.COMPLETED, _A.RESEND_STOP, _A.SETTLE, _A.UP)
        row(state, _E.FAILURE, _S.COMPLETED, _A.RESEND_STOP, _A.SETTLE, _A.UP)
        row(state, _E.DEADLINE, _S.TERMINATED, _A.TIMED_OUT)
        row(state, _E.CANCEL, state)  # RFC 3261, 9.1: only INVITE is ever cancelled
    for event in (_E.TRYING, _E.PROVISIONAL, _E.SUCCESS, _E.FAILURE, _E.CANCEL, _E.BROKEN):
        row(_S.COMPLETED, event, _S.COMPLETED)
    row(_S.COMPLETED, _E.DEADLINE, _S.TERMINATED)
    return table


def _server_invite() -> dict[tuple[Kind, State, Event], Step]:
    table: dict[tuple[Kind, State, Event], Step] = {}

    def row(state: State, event: Event, then: State, *actions: Action) -> None:
        table[_K.IST, state, event] = (then, actions)

    row(_S.PROCEEDING, _E.AGAIN, _S.PROCEEDING, _A.SEND)
    row(_S.PROCEEDING, _E.ACK, _S.PROCEEDING)
    row(_S.PROCEEDING, _E.ANSWER_PROVISIONAL, _S.PROCEEDING, _A.SEND)
    # RFC 3261, 13.3.1.4: a 2xx is repeated over every transport until its ACK comes.
    row(_S.PROCEEDING, _E.ANSWER_SUCCESS, _S.ACCEPTED, _A.SEND, _A.RESEND_FIRST, _A.WAIT)
    row(_S.PROCEEDING, _E.ANSWER_FAILURE, _S.COMPLETED, _A.SEND, _A.RESEND_FIRST, _A.WAIT)
    for state in (_S.ACCEPTED, _S.COMPLETED):
        row(state, _E.RESEND, state, _A.SEND, _A.RESEND_CAPPED)
        row(state, _E.AGAIN, state, _A.SEND)
    row(_S.ACCEPTED, _E.ACK, _S.ACKED, _A.RESEND_STOP)
    row(_S.ACCEPTED, _E.DEADLINE, _S.TERMINATED, _A.RESEND_STOP, _A.NO_ACK)
    row(_S.COMPLETED, _E.ACK, _S.CONFIRMED, _A.RESEND_STOP, _A.SETTLE)
    row(_S.COMPLETED, _E.DEADLINE, _S.TERMINATED, _A.RESEND_STOP)
    for state in (_S.ACKED, _S.CONFIRMED):
        row(state, _E.ACK, state)
        row(state, _E.AGAIN, state)
        row(state, _E.DEADLINE, _S.TERMINATED)
    return table


def _server_other() -> dict[tuple[Kind, State, Event], Step]:
    table: dict[tuple[Kind, State, Event], Step] = {}

    def row(state: State, event: Event, then: State, *actions: Action) -> None:
        table[_K.NIST, state, event] = (then, actions)

    row(_S.TRYING, _E.AGAIN, _S.TRYING)
    row(_S.PROCEEDING, _E.AGAIN, _S.PROCEEDING, _A.SEND)
    row(_S.COMPLETED, _E.AGAIN, _S.COMPLETED, _A.SEND)
    for state in (_S.TRYING, _S.PROCEEDING):
        row(state, _E.ANSWER_PROVISIONAL, _S.PROCEEDING, _A.SEND)
        row(state, _E.ANSWER_SUCCESS, _S.COMPLETED, _A.SEND, _A.WAIT_UNRELIABLE)
        row(state, _E.ANSWER_FAILURE, _S.COMPLETED, _A.SEND, _A.WAIT_UNRELIABLE)
    row(_S.COMPLETED, _E.DEADLINE, _S.TERMINATED)
    return table


TABLE: Final = {**_client_invite(), **_client_other(), **_server_invite(), **_server_other()}
"""(kind, state, event) to (next state, actions in order)."""

START: Final = {Kind.ICT: State.CALLING, Kind.NICT: State.TRYING, Kind.IST: State.PROCEEDING, Kind.NIST: State.TRYING}
"""The state each kind begins in."""


def step(kind: Kind, state: State, event: Event) -> Step:
    """Look up what `event` does."""
    found = TABLE.get((kind, state, event))
    if found is None:
        raise IllegalEvent(kind, state, event)
    return found
