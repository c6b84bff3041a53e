"""Which role may do what, and the principal a user acts as (core)."""

from __future__ import annotations

from typing import Final, Literal, get_args

from livemon.bus.messages import Principal, Right
from livemon.store.records import EVERYTHING, Seen, User

Role = Literal["agent", "supervisor", "qa", "admin", "wallboard", "client"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

RIGHTS: Final[dict[str, tuple[Right, ...]]] = {
    # An agent's own page shows what concerns that agent; live calls are not part of it.
    "agent": (),
    "supervisor": ("view", "listen", "whisper", "barge", "takeover", "replay", "score", "audit"),
    "qa": ("view", "listen", "replay", "download", "score", "export"),
    "admin": (
        "view",
        "listen",
        "whisper",
        "barge",
        "takeover",
        "replay",
        "download",
        "score",
        "export",
        "audit",
        "manage",
    ),
    "wallboard": ("view",),
    # An outsourcer's principal: own campaigns, read only.
    "client": ("view",),
}


def principal_of(user: User) -> Principal:
    """Return who `user` acts as; a role that is not known has no rights at all."""
    everywhere = user.role == "admin" or EVERYTHING in user.teams or EVERYTHING in user.queues
    return Principal(
        user_id=user.id,
        name=user.name,
        role=user.role,
        rights=RIGHTS.get(user.role, ()),
        all_calls=user.role == "admin",
        teams=None if everywhere else user.teams,
        queues=None if everywhere else user.queues,
    )


def seen_by(principal: Principal) -> Seen:
    """Return the part of the audit trail that `principal` may read."""
    return Seen(principal.all_calls, principal.user_id, principal.teams, principal.queues)
