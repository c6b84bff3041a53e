"""Live interactions as the listening service looks at them."""

from __future__ import annotations

from collections.abc import Mapping

from livemon.bus.messages import CallState
from livemon.calls.access import UNASSIGNED
from livemon.calls.book import CallBook
from livemon.calls.interaction import Interaction, leg_codecs, leg_of
from livemon.listen.ports import BridgePort, LegMedia
from livemon.tap.messages import Leg, Segment


class FoundCall:
    """A `LiveCall`: one interaction at the moment it is looked at."""

    def __init__(self, interaction: Interaction, segment: Segment, bridge: BridgePort) -> None:
        self._interaction = interaction
        self._segment = segment
        self._bridge = bridge

    @property
    def id(self) -> str:
        """The interaction id."""
        return self._interaction.id

    @property
    def segment(self) -> str:
        """The segment that is listened to and whispered into."""
        return self._segment.id

    @property
    def bridge_name(self) -> str:
        """The bridge that carries it."""
        return self._interaction.bridge

    @property
    def bridge(self) -> BridgePort:
        """The way to that bridge."""
        return self._bridge

    @property
    def state(self) -> CallState:
        """The state of the call."""
        return self._segment.state

    @property
    def agent_id(self) -> str:
        """The agent's id, or "unassigned"."""
        return self._interaction.view.agent_id if self._interaction.view else UNASSIGNED

    @property
    def team(self) -> str:
        """The agent's team, or ""."""
        return self._interaction.view.team if self._interaction.view else ""

    @property
    def queue(self) -> str:
        """The queue, or ""."""
        return self._interaction.view.queue if self._interaction.view else ""

    @property
    def agent_leg(self) -> LegMedia | None:
        """The agent's leg, None when it is not there."""
        return _media(leg_of(self._segment, "agent"))

    @property
    def customer_leg(self) -> LegMedia | None:
        """The customer's leg, None when it is not there."""
        return _media(leg_of(self._segment, "customer"))

    @property
    def other_legs(self) -> tuple[LegMedia, ...]:
        """Every other leg of the interaction that is alive."""
        first = {leg.leg for leg in (leg_of(self._segment, "agent"), leg_of(self._segment, "customer")) if leg}
        legs = [
            leg
            for segment in self._interaction.segments.values()
            if segment.state != "ended"
            for leg in segment.legs
            if leg.leg not in first
        ]
        return tuple(media for leg in legs if (media := _media(leg)) is not None)

    def can(self, capability: str) -> str:
        """Return "" if `capability` is possible now, else the reason id."""
        view = self._interaction.view
        if view is None:
            return "not_possible"
        if capability in view.capabilities:
            return ""
        return view.refused.get(capability, "not_possible")


class CallFinder:
    """A `CallLookup` over the call book."""

    def __init__(self, book: CallBook, ports: Mapping[str, BridgePort]) -> None:
        self._book = book
        self._ports = ports

    def call(self, id: str) -> FoundCall | None:  # noqa: A002 - the protocol's own word
        """Return the live interaction `id`, or None when it has ended or was never here."""
        interaction = self._book.get(id)
        segment = interaction.chosen if interaction is not None else None
        if interaction is None or segment is None or segment.state == "ended":
            return None
        port = self._ports.get(interaction.bridge)
        return FoundCall(interaction, segment, port) if port is not None else None


def _media(leg: Leg | None) -> LegMedia | None:
    if leg is None:
        return None
    return LegMedia(leg.leg, leg.party, (leg.codec or "PCMU").upper(), leg_codecs(leg))
