"""The life of one monitoring session, as a core without I/O or clock.

State is one table. The mode in force, its lease, the grant that carries it and the seconds heard are kept here;
what has to be done about them is drained from `outputs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from livemon.bus.messages import Mode
from livemon.reasons import BRIDGE_AWAY

GRANT_TTL_MS: Final = 2000
"""Life time of a grant on the bridge's own clock: the most a dead node can leave an open ear."""
RENEW_S: Final = 0.5
"""Renewals per life time: four, so that three may be lost or late."""
CONNECT_S: Final = 20.0
"""A browser that has neither connected by ICE (it gives up after 15 s) nor by the fallback is gone."""
WAIT_S: Final = 60.0
"""How long a session whose call has ended stays open for a hop to the next call."""
AWAY_S: Final = 60.0
"""How long a session waits for the bridge of its call: as long as the node keeps the calls of a bridge that is away."""
SPEAKING_EVERY_S: Final = 0.1
"""States are published 10 times a second while the supervisor speaks."""
ROW_FRESH_S: Final = 0.3
"""A whisper level older than three rows of a whispered leg is no level."""
SILENT_DBFS: Final = -96.0


class State(Enum):
    """Where a session stands."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"
    """Connected, its call has ended, open for a hop."""
    SUSPENDED = "suspended"
    """Connected, but the bridge of its call is away: nothing is heard and nothing may be said until it is back."""
    CLOSED = "closed"


class Event(Enum):
    """What can happen to a session."""

    TRANSPORT_UP = "transport_up"
    TRANSPORT_CHANGES = "transport_changes"
    CALL_ENDED = "call_ended"
    BRIDGE_AWAY = "bridge_away"
    BRIDGE_BACK = "bridge_back"
    HOPPED = "hopped"
    CLOSED = "closed"


TABLE: Final[Mapping[tuple[State, Event], State]] = {
    (State.CONNECTING, Event.TRANSPORT_UP): State.CONNECTED,
    (State.CONNECTING, Event.TRANSPORT_CHANGES): State.CONNECTING,
    (State.CONNECTING, Event.CALL_ENDED): State.CLOSED,
    (State.CONNECTING, Event.HOPPED): State.CONNECTING,
    (State.CONNECTING, Event.BRIDGE_AWAY): State.CONNECTING,
    (State.CONNECTING, Event.BRIDGE_BACK): State.CONNECTING,
    (State.CONNECTING, Event.CLOSED): State.CLOSED,
    (State.CONNECTED, Event.TRANSPORT_UP): State.CONNECTED,
    (State.CONNECTED, Event.TRANSPORT_CHANGES): State.CONNECTING,
    (State.CONNECTED, Event.CALL_ENDED): State.WAITING,
    (State.CONNECTED, Event.BRIDGE_AWAY): State.SUSPENDED,
    (State.CONNECTED, Event.HOPPED): State.CONNECTED,
    (State.CONNECTED, Event.CLOSED): State.CLOSED,
    (State.WAITING, Event.TRANSPORT_UP): State.WAITING,
    (State.WAITING, Event.TRANSPORT_CHANGES): State.WAITING,
    (State.WAITING, Event.CALL_ENDED): State.WAITING,
    (State.WAITING, Event.HOPPED): State.CONNECTED,
    (State.WAITING, Event.CLOSED): State.CLOSED,
    (State.SUSPENDED, Event.TRANSPORT_UP): State.SUSPENDED,
    (State.SUSPENDED, Event.TRANSPORT_CHANGES): State.CONNECTING,
    (State.SUSPENDED, Event.CALL_ENDED): State.WAITING,
    (State.SUSPENDED, Event.BRIDGE_AWAY): State.SUSPENDED,
    (State.SUSPENDED, Event.BRIDGE_BACK): State.CONNECTED,
    (State.SUSPENDED, Event.HOPPED): State.CONNECTED,
    (State.SUSPENDED, Event.CLOSED): State.CLOSED,
    (State.CLOSED, Event.CLOSED): State.CLOSED,
    (State.CLOSED, Event.CALL_ENDED): State.CLOSED,
}


_LIMITS: Final[Mapping[State, tuple[float, str]]] = {
    State.CONNECTING: (CONNECT_S, "not_connected"),
    State.WAITING: (WAIT_S, "call_ended"),
    State.SUSPENDED: (AWAY_S, BRIDGE_AWAY),
}
"""Seconds a session may stay in a state, and the reason it is closed for after that."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Open or renew the grant with this counter."""

    mode: Mode
    counter: int


@dataclass(frozen=True, slots=True)
class Revoke:
    """End the grant."""


@dataclass(frozen=True, slots=True)
class ModeEnded:
    """A stretch of `mode` is over after `seconds`, for `reason`; the audit wants to know."""

    mode: Mode
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Tell the pages."""


@dataclass(frozen=True, slots=True)
class Close:
    """The session has to be closed, for `reason`."""

    reason: str


Output = Grant | Revoke | ModeEnded | Publish | Close


@dataclass(slots=True)
class Session:
    """One session: its state, mode, lease, grant counter and figures; all times in seconds of one clock."""

    opened_at: float
    state: State = State.CONNECTING
    mode: Mode = "listen"
    refused: str = ""
    heard_s: float = 0.0
    whispered_samples: int = 0
    outputs: list[Output] = field(default_factory=list)
    _since: float = 0.0
    _mode_since: float = 0.0
    _lease_until: float | None = None
    _counter: int = 0
    _renewed_at: float = 0.0
    _published_at: float = 0.0
    _ticked_at: float = 0.0
    _row_samples: int | None = None
    _row_at: float = float("-inf")
    _row_dbfs: float = SILENT_DBFS
    _spoke_since_row: bool = False

    def __post_init__(self) -> None:
        self._since = self._mode_since = self._ticked_at = self.opened_at

    @property
    def speaking(self) -> bool:
        """Whether supervisor audio may pass."""
        return self.state is State.CONNECTED and self.mode != "listen"

    @property
    def hearing(self) -> bool:
        """Whether the legs of a call may be sent to the browser."""
        return self.state is State.CONNECTED

    def happen(self, event: Event, now: float, reason: str = "") -> None:
        """Let `event` happen; an event the table does not allow is a bug of ours."""
        after = TABLE.get((self.state, event))
        assert after is not None, f"{event.name} in {self.state.name}"
        if event is not Event.TRANSPORT_UP:
            self._fall_to_listen(now, reason or event.value)
        if event is Event.HOPPED:
            self._new_call(now)
        elif event is Event.CALL_ENDED:
            self.refused = "call_ended"
        elif event is Event.BRIDGE_AWAY:
            self.refused = BRIDGE_AWAY
        elif event is Event.BRIDGE_BACK:
            self.refused = ""
        elif event is Event.CLOSED:
            self.refused = reason
        if after is not self.state:
            self.state = after
            self._since = now
        self.outputs.append(Publish())

    def speak(self, mode: Mode, lease_s: float | None, now: float) -> None:
        """Put `mode` in force, or renew its lease; None keeps it until it is changed."""
        if mode == "listen":
            if self.state is not State.SUSPENDED:
                self.refused = ""
            self._fall_to_listen(now, "key_up")
            return
        assert self.state is State.CONNECTED, f"speak in {self.state.name}"
        self._lease_until = None if lease_s is None else now + lease_s
        if mode == self.mode:
            return
        self._end_stretch(now, "mode")
        self.mode = mode
        self.refused = ""
        self._grant(now)
        self.outputs.append(Publish())

    def refuse(self, reason: str, now: float) -> None:
        """Fall back to listening because of `reason`, which the page shows."""
        if self.state is not State.SUSPENDED:
            self.refused = reason
        self._fall_to_listen(now, reason)
        self.outputs.append(Publish())

    def tick(self, now: float, forwarded: bool) -> None:
        """Let time pass; `forwarded` says whether audio went to the browser since the last tick."""
        if forwarded:
            self.heard_s += now - self._ticked_at
        self._ticked_at = now
        if self._lease_until is not None and now >= self._lease_until:
            self._fall_to_listen(now, "lease_over")
        if self.speaking:
            self._spoke_since_row = True
            if now - self._renewed_at >= RENEW_S:
                self._grant(now)
            if now - self._published_at >= SPEAKING_EVERY_S:
                self._published_at = now
                self.outputs.append(Publish())
        seconds, reason = _LIMITS.get(self.state, (float("inf"), ""))
        if now - self._since >= seconds:
            self.outputs.append(Close(reason))

    def row(self, whispered_samples: int, whisper_cdbfs: int, now: float) -> None:
        """Take in what the bridge says the agent leg was really sent."""
        before = self._row_samples
        self._row_samples = whispered_samples
        # A counter that went back belongs to a media process that was started anew.
        grown = 0 if before is None else whispered_samples - before
        if grown > 0 and self._spoke_since_row:
            self.whispered_samples += grown
            self._row_at = now
            self._row_dbfs = whisper_cdbfs / 100
        self._spoke_since_row = self.speaking

    def whisper_dbfs(self, now: float) -> float:
        """Return the level really mixed into the agent leg lately, -96 when nothing was."""
        return self._row_dbfs if now - self._row_at <= ROW_FRESH_S else SILENT_DBFS

    def drain(self) -> list[Output]:
        """Return and forget what has to be done."""
        outputs, self.outputs = self.outputs, []
        return outputs

    def _grant(self, now: float) -> None:
        self._counter += 1
        self._renewed_at = now
        self._spoke_since_row = True
        self.outputs.append(Grant(self.mode, self._counter))

    def _fall_to_listen(self, now: float, reason: str) -> None:
        self._lease_until = None
        if self.mode == "listen":
            return
        self._end_stretch(now, reason)
        self.mode = "listen"
        self.outputs += [Revoke(), Publish()]

    def _end_stretch(self, now: float, reason: str) -> None:
        self.outputs.append(ModeEnded(self.mode, now - self._mode_since, reason))
        self._mode_since = now

    def _new_call(self, now: float) -> None:
        self.refused = ""
        self.heard_s = 0.0
        self.whispered_samples = 0
        self._row_samples = None
        self._row_at = float("-inf")
        self._spoke_since_row = False
        self._mode_since = now
