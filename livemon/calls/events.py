"""What the call book tells its surroundings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from livemon.bus.messages import CallView, PartyName

SignalName = Literal["ringing", "early", "answered", "hold", "resume", "transfer", "transferred", "ended"]


@dataclass(frozen=True, slots=True)
class CallStarted:
    """An interaction is new to this node; `started_us` is the zero of its time line on the bridge's clock."""

    bridge: str
    call: str
    started_us: int


@dataclass(frozen=True, slots=True)
class LegAdded:
    """A leg carries media of an interaction, or its party, codecs or interaction changed."""

    bridge: str
    leg: int
    call: str
    party: PartyName
    codecs: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class LegRemoved:
    """A leg is over."""

    bridge: str
    leg: int


@dataclass(frozen=True, slots=True)
class Signalled:
    """Signalling said something about an interaction at `at_us` of the bridge's clock; `by` is who holds."""

    bridge: str
    call: str
    event: SignalName
    at_us: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class CallChanged:
    """The view of an interaction is another one now."""

    view: CallView


@dataclass(frozen=True, slots=True)
class CallGone:
    """An interaction has ended and been shown as ended long enough."""

    bridge: str
    call: str


CallEvent = CallStarted | LegAdded | LegRemoved | Signalled | CallChanged | CallGone
