"""Who may listen to which call, and speak into it."""

from __future__ import annotations

from typing import Final

from livemon.bus.messages import Mode, Principal
from livemon.listen.ports import LiveCall

UNASSIGNED: Final = "unassigned"


def in_scope(principal: Principal, call: LiveCall) -> bool:
    """Return whether `call` is within the principal's scope; only `all_calls` reaches unassigned ones."""
    if principal.all_calls:
        return True
    if call.agent_id in ("", UNASSIGNED):
        return False
    teams, queues = principal.teams, principal.queues
    return (teams is None or call.team in teams) and (queues is None or call.queue in queues)


def missing(principal: Principal, call: LiveCall, mode: Mode) -> str:
    """Return "" if the principal has the right to `mode` on `call`, else the reason id.

    Whoever speaks also hears, so every mode needs `listen`.
    """
    if not in_scope(principal, call):
        return "out_of_scope"
    for right in ("listen", mode):
        if right not in principal.rights:
            return f"no_right_{right}"
    return ""


def obstacle(call: LiveCall, mode: Mode) -> str:
    """Return "" if the call allows `mode` now, else the reason id the bridge or the policy gave."""
    return call.can("listen") or ("" if mode == "listen" else call.can(mode))
