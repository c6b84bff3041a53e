"""Segments as a bridge would announce them."""

from __future__ import annotations

from typing import Any

import msgspec

from livemon.bus.messages import Agent, Directory, QueueEntry, Team
from livemon.tap.messages import Identity, Leg, Segment

DIRECTORY = Directory(
    1,
    (
        Agent("anna", "Anna Abel", "201", "t1", ("billing",), ("sip:201@pbx", "201")),
        Agent("ben", "Ben Berg", "202", "t2", (), ("202",)),
    ),
    (Team("t1", "Sales"), Team("t2", "Service")),
    (QueueEntry("billing", "Billing"),),
)
TALKING = Segment(
    id="s1",
    interaction="i1",
    trunk="pbx",
    placement="station",
    role="primary",
    direction="inbound",
    state="talking",
    state_since_ns=2_000_000_000,
    started_ns=1_000_000_000,
    answered_ns=2_000_000_000,
    identity=Identity(("sip:201@pbx",), "billing", "+493012345678"),
    legs=(Leg(7, "agent", "PCMU"), Leg(8, "customer", "PCMU")),
    capabilities=("listen", "measure", "whisper", "barge"),
)
RINGING = msgspec.structs.replace(TALKING, state="ringing", state_since_ns=1_000_000_000, answered_ns=None)


def segment(of: Segment = TALKING, **changes: Any) -> Segment:
    """Return `of` with changed members."""
    return msgspec.structs.replace(of, **changes)


def for_agent(*addresses: str) -> Identity:
    """Return an identity with these addresses of the agent."""
    return Identity(addresses, "billing", "+493012345678")
