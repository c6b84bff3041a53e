"""Who may listen to which call, and speak into it."""

from __future__ import annotations

from livemon.bus.messages import Mode, Principal
from livemon.calls.access import allowed
from livemon.listen.ports import LiveCall


def missing(principal: Principal, call: LiveCall, mode: Mode) -> str:
    """Return "" if the principal has the right to `mode` on `call`, else the reason id.

    Whoever speaks also hears, so every mode needs `listen`.
    """
    return allowed(principal, "listen", call) or allowed(principal, mode, call)


def obstacle(call: LiveCall, mode: Mode) -> str:
    """Return "" if the call allows `mode` now, else the reason id the bridge or the policy gave."""
    return call.can("listen") or ("" if mode == "listen" else call.can(mode))
