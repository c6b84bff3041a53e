"""What the listening service asks of the node around it.

The node implements these protocols; tests implement them in memory. Leg numbers are unique within one bridge only,
so everything that names a leg also names its bridge.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from livemon.bus.messages import CallState, Mode, PartyName, SessionState
from livemon.calls.access import Scoped
from sip_bridge.link.wire import WhisperChunk

AuditValue = str | int | float | None


class BridgePort(Protocol):
    """The way to one bridge; nothing here waits, a lost link drops what is sent."""

    def listen(self, legs: Collection[int], on: bool) -> None:
        """Ask for these legs' packets every 2 ms instead of every 20 ms, or take that back."""

    def grant(self, grant_id: int, segment: str, mode: Mode, counter: int, ttl_ms: int) -> None:
        """Open or renew the permission for supervisor audio into `segment` for `ttl_ms` from receipt."""

    def revoke(self, grant_id: int) -> None:
        """End a permission at once."""

    def gain(self, grant_id: int, whisper_db: float, duck_db: float) -> None:
        """Set the supervisor's level at the agent and how far the customer is lowered meanwhile, in dB."""

    def whisper(self, chunk: WhisperChunk) -> None:
        """Send supervisor audio; `chunk.session` is the grant id."""


@dataclass(frozen=True, slots=True)
class LegMedia:
    """One leg's media: `codec` is its main codec, `codecs` maps payload types to upper-case codec names.

    A payload type that is in neither map is read by RFC 3551 (0 PCMU, 8 PCMA, 9 G722), else as `codec`.
    """

    leg: int
    party: PartyName
    codec: str = "PCMU"
    codecs: Mapping[int, str] = field(default_factory=dict)


class LiveCall(Scoped, Protocol):
    """One live interaction as it is now; the listening service looks it up again after `ListenService.on_call`."""

    @property
    def id(self) -> str:
        """The interaction id, as in `CallView.id`."""

    @property
    def segment(self) -> str:
        """The segment that is listened to and whispered into."""

    @property
    def bridge_name(self) -> str:
        """The bridge that carries it; the same text that is given to `ListenService.on_packet` and `on_row`."""

    @property
    def bridge(self) -> BridgePort:
        """The way to that bridge."""

    @property
    def state(self) -> CallState:
        """The state of the call."""

    @property
    def agent_leg(self) -> LegMedia | None:
        """The agent's leg, None when it is not there or not known."""

    @property
    def customer_leg(self) -> LegMedia | None:
        """The customer's leg, None when it is not there or not known."""

    @property
    def other_legs(self) -> tuple[LegMedia, ...]:
        """Third parties and machines."""

    def can(self, capability: str) -> str:
        """Return "" if `listen`, `whisper` or `barge` is possible now, else the reason id."""


class CallLookup(Protocol):
    """Finds live interactions."""

    def call(self, id: str) -> LiveCall | None:  # noqa: A002 - the protocol's own word
        """Return the live interaction `id`, or None when it has ended or was never here."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line of the audit journal; `kind` is one of listen.start, .mode, .hop, .stop, .denied."""

    kind: str
    fields: Mapping[str, AuditValue]


class AuditPort(Protocol):
    """The local audit journal."""

    async def record(self, event: AuditEvent) -> None:
        """Return only after the event is on disk (fsync); raise `Refused("audit_unavailable")` if it cannot be."""


class StatePort(Protocol):
    """Takes session states; published on the topic `session.<node>`."""

    def __call__(self, state: SessionState) -> None:
        """Take the newest state of a session."""
