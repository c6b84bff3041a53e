"""Who may do what to which call: the one scope check, used by the node, the web process and the listening service."""

from __future__ import annotations

from typing import Protocol

from livemon.bus.messages import Principal, Right
from livemon.reasons import NO_RIGHT, NOT_IN_SCOPE

UNASSIGNED = "unassigned"
"""The agent id of an interaction whose agent is not in the directory."""


class Scoped(Protocol):
    """The part of a call that decides who may see it; `CallView` and `LiveCall` have it."""

    @property
    def agent_id(self) -> str:
        """The agent's id, or "unassigned"."""

    @property
    def team(self) -> str:
        """The agent's team, or ""."""

    @property
    def queue(self) -> str:
        """The queue, or ""."""


def allowed(principal: Principal, right: Right, call: Scoped) -> str:
    """Return "" if `principal` holds `right` and `call` is in its scope, else `no_right` or `not_in_scope`.

    `teams` and `queues` None mean all of them; when both are limited, one match is enough.
    """
    if right not in principal.rights:
        return NO_RIGHT
    return "" if in_scope(principal, call) else NOT_IN_SCOPE


def in_scope(principal: Principal, call: Scoped) -> bool:
    """Return whether `call` is one of those `principal` answers for."""
    if principal.all_calls:
        return True
    if call.agent_id in ("", UNASSIGNED):
        return False
    if principal.teams is None and principal.queues is None:
        return True
    in_team = bool(call.team) and principal.teams is not None and call.team in principal.teams
    in_queue = bool(call.queue) and principal.queues is not None and call.queue in principal.queues
    return in_team or in_queue
