"""What the database keeps of users and calls, as values that pages and feed can hold without the database (core)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

EVERYTHING: Final = "*"
"""Target of a scope that holds for all teams, or all queues."""
EndCause = Literal["hung_up", "not_answered", "lost"]


@dataclass(frozen=True, slots=True)
class User:
    """A person (or a screen) that signs in; `teams` and `queues` are ids, or `*`."""

    id: str
    login: str
    name: str
    role: str
    disabled: bool
    created_at_ms: int
    teams: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    password_hash: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """Whose entries a reader may see: everything, or those of these teams or queues (None: all) and their own."""

    everything: bool
    user_id: str
    teams: tuple[str, ...] | None = ()
    queues: tuple[str, ...] | None = ()


@dataclass(frozen=True, slots=True)
class PastCall:
    """One ended interaction; times are UTC ms. `lost`: its node went away before it ended."""

    id: str
    segments: tuple[str, ...]
    node: str
    bridge: str
    trunk: str
    direction: str
    agent_id: str
    team: str
    queue: str
    customer: str
    started_at_ms: int
    answered_at_ms: int | None
    ended_at_ms: int
    end_cause: EndCause
