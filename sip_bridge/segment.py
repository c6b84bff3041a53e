"""The record of calls: one segment for each pair of dialogs, joined into interactions.

A core fed with the B2BUA's call events and the anchor's view of the media; it drains the JSON states of
`docs/link-protocol.md`, each complete in itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sip_bridge.errors import BridgeError
from sip_bridge.hooks import (
    CallAnswered,
    CallEnded,
    CallEvent,
    CallProgress,
    CallReferred,
    CallStarted,
    Side,
    TransferProgress,
)
from sip_bridge.identity import Direction, Identity
from sip_bridge.legs import MediaView

CAPABILITIES: Final = ("listen", "measure", "whisper", "barge")

TABLE: Final = {
    ("ringing", "early_media"): "early",
    ("ringing", "answered"): "talking",
    ("early", "answered"): "talking",
    ("talking", "held"): "hold",
    ("hold", "resumed"): "talking",
    ("talking", "referred"): "transfer",
    ("hold", "referred"): "transfer",
    ("transfer", "transfer_failed"): "talking",
    ("ringing", "ended"): "ended",
    ("early", "ended"): "ended",
    ("talking", "ended"): "ended",
    ("hold", "ended"): "ended",
    ("transfer", "ended"): "ended",
}
"""The life of a segment; a pair that is not here leaves the state as it is (a late 180 after the answer)."""

_MEDIA_STATES: Final = frozenset({"early", "talking", "hold", "transfer"})
"""States in which a phone's audio path is open, so that one phone with two of them can mix both."""


@dataclass(frozen=True, slots=True)
class Description:
    """What configuration and headers say of a call when it starts."""

    trunk: str
    placement: str
    direction: Direction
    agent: Side | None
    identity: Identity
    interaction: str | None = None
    """The interaction a header names, or None."""


@dataclass(slots=True)
class Segment:
    """One pair of dialogs."""

    id: str
    interaction: str
    call: str
    about: Description
    call_ids: tuple[str, str]
    started_ns: int
    role: str = "primary"
    state: str = "ringing"
    state_since_ns: int = 0
    answered_ns: int | None = None
    ended_ns: int | None = None
    cause: str = ""
    media: MediaView = field(default_factory=MediaView)
    two_lines: bool = False

    @property
    def hold_by(self) -> str:
        """The party that holds, the agent if both do, or ""."""
        parties = [self.party(side) for side in self.media.holds] if self.state in ("hold", "transfer") else []
        return "agent" if "agent" in parties else "".join(parties[:1])

    def party(self, side: Side) -> str:
        """Return who is on `side`."""
        if side is self.about.agent:
            return "agent"
        return "third" if self.about.direction is Direction.INTERNAL else "customer"

    def refusals(self) -> dict[str, str]:
        """Return the reason for each capability this segment lacks now."""
        if self.media.refused:
            reason = "codec_not_supported" if self.media.refused == "codec_not_supported" else "not_anchored"
            return dict.fromkeys(CAPABILITIES, reason)
        if self.about.placement == "trunk" or self.about.agent is None:
            return dict.fromkeys(("whisper", "barge"), "trunk_side")
        if self.answered_ns is None:
            return dict.fromkeys(("whisper", "barge"), "not_answered")
        if self.two_lines:
            # What the agent hears on one line, the phone may mix into the other.
            return dict.fromkeys(("whisper", "barge"), "agent_has_two_lines")
        return {"whisper": "agent_holds"} if self.hold_by == "agent" else {}

    def leg_of(self, party: str) -> int | None:
        """Return the leg of `party`, or None."""
        return next((leg.leg for leg in self.media.legs if self.party(leg.side) == party), None)

    def state_message(self, bridge: str) -> dict[str, Any]:
        """Return the whole state as the link carries it."""
        refused = self.refusals()
        return {
            "t": "segment",
            "id": self.id,
            "interaction": self.interaction,
            "bridge": bridge,
            "trunk": self.about.trunk,
            "placement": self.about.placement,
            "role": self.role,
            "direction": self.about.direction.value,
            "state": self.state,
            "hold_by": self.hold_by,
            "state_since_ns": self.state_since_ns,
            "started_ns": self.started_ns,
            "answered_ns": self.answered_ns,
            "ended_ns": self.ended_ns,
            "cause": self.cause,
            "call_ids": list(self.call_ids),
            "identity": self.about.identity.to_json(),
            "legs": [
                {
                    "leg": leg.leg, "party": self.party(leg.side), "codec": leg.codec, "clock": leg.clock,
                    "held": leg.held, "remote": leg.remote,
                }
                for leg in self.media.legs
            ],
            "capabilities": [name for name in CAPABILITIES if name not in refused],
            "refused": refused,
        }  # fmt: skip


class Segments:
    """Every live segment of this bridge, by call and by id."""

    def __init__(self, bridge: str, mint: Callable[[], str]) -> None:
        self._bridge = bridge
        self._mint = mint
        self._by_call: dict[str, Segment] = {}
        self._by_id: dict[str, Segment] = {}
        self._by_agent: dict[str, dict[str, Segment]] = {}
        """Live segments by each name of their agent."""
        self._touched: dict[str, Segment] = {}

    def __len__(self) -> int:
        return len(self._by_call)

    def of_call(self, call: str) -> Segment | None:
        """Return the live segment of a B2BUA call."""
        return self._by_call.get(call)

    def get(self, segment: str) -> Segment | None:
        """Return the live segment with this id."""
        return self._by_id.get(segment)

    def live(self) -> list[dict[str, Any]]:
        """Return the state of every live segment, oldest first, for a re-announcement."""
        return [segment.state_message(self._bridge) for segment in self._by_call.values()]

    def drain(self) -> list[dict[str, Any]]:
        """Return the state of every segment that has changed since the last drain."""
        out = [segment.state_message(self._bridge) for segment in self._touched.values()]
        self._touched.clear()
        return out

    def start(self, event: CallStarted, about: Description, now: float) -> Segment:
        """Begin the segment of a new call at monotonic time `now`, seconds."""
        now_ns = _ns(now)
        interaction = about.interaction or self._mint()
        ids = (event.caller_call_id, event.callee_call_id)
        segment = Segment(self._mint(), interaction, event.call, about, ids, now_ns, state_since_ns=now_ns)
        if about.direction is Direction.INTERNAL:
            segment.role = "internal"
        # The agent asks somebody else while the customer waits.
        if about.agent is Side.CALLER and any(one.hold_by == "agent" for one in self._of_agent(segment)):
            segment.role = "consult"
        self._keep(segment)
        return segment

    def feed(self, event: CallEvent, now: float) -> None:
        """Take note of `event` at monotonic time `now`, seconds."""
        segment = self._by_call.get(event.call)
        if segment is None:
            return
        match event:
            case CallProgress(early_media=True):
                self._step(segment, "early_media", now)
            case CallAnswered():
                if segment.answered_ns is None:
                    segment.answered_ns = _ns(now)
                self._step(segment, "answered", now)
                self._follow_hold(segment, now)
            case CallReferred():
                self._referred(segment, event, now)
            case TransferProgress() if event.status >= 300:
                self._step(segment, "transfer_failed", now)
                self._follow_hold(segment, now)
            case CallEnded():
                self._ended(segment, event, now)
            case _:
                pass

    def media(self, call: str, view: MediaView, now: float) -> None:
        """Take over the anchor's view of the legs of `call`."""
        segment = self._by_call.get(call)
        if segment is None or segment.media == view:
            return
        segment.media = view
        self._touched[segment.id] = segment
        self._follow_hold(segment, now)

    def dump(self, call: str) -> dict[str, Any] | None:
        """Return the segment of `call` as JSON-ready data, or None."""
        segment = self._by_call.get(call)
        if segment is None:
            return None
        about = segment.about
        state = segment.state_message(self._bridge)
        kept = ("id", "interaction", "role", "state", "state_since_ns", "started_ns", "answered_ns", "call_ids")
        return {name: state[name] for name in kept} | {
            "trunk": about.trunk, "placement": about.placement, "direction": about.direction.value,
            "agent": about.agent.value if about.agent else "", "identity": about.identity.to_json(),
        }  # fmt: skip

    def restore(self, call: str, data: dict[str, Any]) -> Segment:
        """Take up the segment that `dump` described; raises BridgeError on foreign data."""
        try:
            who = data["identity"]
            identity = Identity(tuple(who["agent"]), who["queue"], who["customer"])
            agent = Side(data["agent"]) if data["agent"] else None
            about = Description(data["trunk"], data["placement"], Direction(data["direction"]), agent, identity)
            ids = (str(data["call_ids"][0]), str(data["call_ids"][1]))
            segment = Segment(
                data["id"], data["interaction"], call, about, ids, int(data["started_ns"]), data["role"],
                data["state"], int(data["state_since_ns"]), data["answered_ns"],
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BridgeError(f"the journal's segment of a call cannot be read: {error}") from error
        self._keep(segment)
        self._count_lines(segment)
        return segment

    def _keep(self, segment: Segment) -> None:
        self._by_call[segment.call] = self._by_id[segment.id] = segment
        for name in segment.about.identity.agent:
            self._by_agent.setdefault(name, {})[segment.id] = segment
        self._touched[segment.id] = segment

    def _step(self, segment: Segment, event: str, now: float) -> None:
        state = TABLE.get((segment.state, event), segment.state)
        if state == segment.state:
            return
        segment.state = state
        segment.state_since_ns = _ns(now)
        self._touched[segment.id] = segment
        self._count_lines(segment)

    def _follow_hold(self, segment: Segment, now: float) -> None:
        self._step(segment, "held" if segment.media.holds else "resumed", now)

    def _referred(self, segment: Segment, event: CallReferred, now: float) -> None:
        if (other := self._by_call.get(event.joins or "")) is not None and other is not segment:
            self._join(segment, other)
        # An INVITE with Replaces joins without being referred itself: it still rings.
        self._step(segment, "referred", now)

    def _join(self, one: Segment, other: Segment) -> None:
        """Make one interaction of two: the older one's id is kept."""
        older, younger = sorted((one, other), key=lambda segment: segment.started_ns)
        gone = younger.interaction
        for segment in self._by_call.values():
            if segment.interaction == gone:
                segment.interaction = older.interaction
                self._touched[segment.id] = segment

    def _ended(self, segment: Segment, event: CallEnded, now: float) -> None:
        segment.ended_ns = _ns(now)
        segment.cause = _cause(event, segment)
        self._step(segment, "ended", now)
        del self._by_call[segment.call]
        del self._by_id[segment.id]
        for name in segment.about.identity.agent:
            lines = self._by_agent[name]
            del lines[segment.id]
            if not lines:
                del self._by_agent[name]

    def _of_agent(self, segment: Segment) -> list[Segment]:
        """Return the live segments that share a name of this one's agent."""
        found: dict[str, Segment] = {}
        for name in segment.about.identity.agent:
            found.update(self._by_agent.get(name, {}))
        return list(found.values())

    def _count_lines(self, segment: Segment) -> None:
        """Note on every segment of the agent whether more than one audio path is open."""
        lines = self._of_agent(segment)
        several = sum(one.state in _MEDIA_STATES for one in lines) > 1
        for one in lines:
            two_lines = several and one.state in _MEDIA_STATES
            if one.two_lines != two_lines:
                one.two_lines = two_lines
                self._touched[one.id] = one


def _cause(event: CallEnded, segment: Segment) -> str:
    """Return how the call ended: `hang_up_agent`, `cancelled`, or the status as in `486 Busy Here`."""
    if event.status < 300:
        return f"hang_up_{segment.party(event.by)}" if event.by else "hang_up_bridge"
    if event.status == 487:
        return "cancelled"
    return f"{event.status} {event.reason}".strip()


def _ns(now: float) -> int:
    return round(now * 1e9)
