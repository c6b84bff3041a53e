"""One interaction: its segments, and the view that is made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from livemon.bus.messages import Agent, CallView, Mode, PartyName
from livemon.calls.access import UNASSIGNED
from livemon.calls.directory import AgentIndex
from livemon.calls.mask import mask_number
from livemon.calls.signals import Before
from livemon.reasons import BRIDGE_AWAY
from livemon.tap.messages import Leg, Segment

_ROLE_ORDER = {"primary": 3, "conference": 2, "internal": 1, "consult": 0}
_STATE_ORDER = {"talking": 3, "hold": 3, "transfer": 2, "early": 1, "ringing": 1, "ended": 0}

# RFC 3551, 6: static payload types. 101 is what nearly every phone uses for RFC 4733 events; a bridge that knows
# better says so in `codecs`.
_STATIC = {"PCMU": 0, "PCMA": 8, "G722": 9}
_ALWAYS = {13: "CN", 101: "TELEPHONE-EVENT"}

MAX_SHOWN = 128
"""Characters of a queue or trunk name in a view."""


def leg_codecs(leg: Leg) -> dict[int, str]:
    """Return the codec names of a leg by payload type, in upper case."""
    found = {int(number): name.upper() for number, name in leg.codecs.items() if number.isascii() and number.isdigit()}
    if not found and (number := _STATIC.get(leg.codec.upper())) is not None:
        found = {**_ALWAYS, number: leg.codec.upper()}
    return found


@dataclass(slots=True)
class Interaction:
    """What a node knows about one interaction; the sticky members outlive the segments they came from."""

    id: str
    bridge: str
    started_ns: int
    started_at_ms: int
    answered_at_ms: int | None = None
    segments: dict[str, Segment] = field(default_factory=dict)
    proof_failures: int = 0
    listeners: int = 0
    modes: tuple[Mode, ...] = ()
    ended_at: float | None = None
    """When the last segment ended, on the book's clock (seconds)."""
    signalled: Before = "new"
    signalled_hold: str = ""
    view: CallView | None = None

    @property
    def chosen(self) -> Segment | None:
        """The segment that is shown, heard and whispered into: alive before ended, primary before consult, newest."""
        return max(self.segments.values(), key=_rank, default=None)

    @property
    def alive(self) -> bool:
        """Whether a segment has not ended."""
        return any(segment.state != "ended" for segment in self.segments.values())


def _rank(segment: Segment) -> tuple[bool, int, int, int]:
    return (
        segment.state != "ended",
        _ROLE_ORDER[segment.role],
        _STATE_ORDER[segment.state],
        segment.started_ns,
    )


def leg_of(segment: Segment, party: PartyName) -> Leg | None:
    """Return the first leg of `party`."""
    return next((leg for leg in segment.legs if leg.party == party), None)


def agent_of(interaction: Interaction, index: AgentIndex) -> Agent | None:
    """Return the agent of the segment that is shown, or None when the directory does not know one."""
    segment = interaction.chosen
    return index.match(segment.identity.agent) if segment is not None else None


def refusals(segment: Segment, attached: bool, lines: int) -> dict[str, str]:
    """Return capability -> reason id: what the bridge said, and what only the node can know."""
    refused = {name: reason[:MAX_SHOWN] for name, reason in segment.refused.items()}
    if lines > 1:
        # The other line is another customer: what the agent hears there could be passed on by the phone's own mixer.
        refused |= dict.fromkeys(("whisper", "barge"), "agent_has_two_lines")
    if not attached:
        refused |= dict.fromkeys(segment.capabilities, BRIDGE_AWAY)
    if segment.state == "ended":
        refused |= dict.fromkeys(segment.capabilities, "call_ended")
    return refused


def make_view(
    node: str, interaction: Interaction, index: AgentIndex, refused: dict[str, str], state_since_ms: int
) -> CallView:
    """Return the view of an interaction that has a segment."""
    segment = interaction.chosen
    assert segment is not None, "an interaction without a segment has no view"
    agent = agent_of(interaction, index)
    queue = index.queue(segment.identity.queue)
    agent_leg, customer_leg = leg_of(segment, "agent"), leg_of(segment, "customer")
    return CallView(
        id=interaction.id,
        segment=segment.id,
        node=node,
        bridge=interaction.bridge,
        trunk=segment.trunk[:MAX_SHOWN],
        placement=segment.placement,
        direction=segment.direction,
        state=segment.state,
        hold_by=segment.hold_by,
        agent_id=agent.id if agent else UNASSIGNED,
        agent_name=agent.name if agent else "",
        agent_number=agent.number if agent else "",
        team=agent.team if agent else "",
        team_name=index.team_name(agent.team) if agent else "",
        queue=queue.id if queue else segment.identity.queue[:MAX_SHOWN],
        queue_name=queue.name if queue else segment.identity.queue[:MAX_SHOWN],
        customer=mask_number(segment.identity.customer),
        started_at_ms=interaction.started_at_ms,
        answered_at_ms=interaction.answered_at_ms,
        state_since_ms=state_since_ms,
        capabilities=_without(segment.capabilities, refused),
        refused=refused,
        listeners=interaction.listeners,
        modes=interaction.modes,
        proof_failures=interaction.proof_failures,
        agent_leg=agent_leg.leg if agent_leg else None,
        customer_leg=customer_leg.leg if customer_leg else None,
    )


def _without(capabilities: Iterable[str], refused: dict[str, str]) -> tuple[str, ...]:
    return tuple(name for name in capabilities if name not in refused)
