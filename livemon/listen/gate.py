"""What every action passes: is there such a call, may this person, does the call allow it. Refusals are recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from livemon.bus.messages import Mode, Principal
from livemon.errors import Refused
from livemon.listen.live import LiveSession, audit_event
from livemon.listen.ports import AuditEvent, AuditPort, CallLookup, LiveCall
from livemon.listen.rights import missing, obstacle
from livemon.reasons import status

log = logging.getLogger(__name__)

DENIED_EVERY_S: Final = 10.0
"""A held key asks 2.5 times a second; one record of the refusal in 10 s says the same."""


class Gate:
    """Asks the rights and the call, and writes what was refused."""

    def __init__(self, calls: CallLookup, audit: AuditPort, clock: Callable[[], float]) -> None:
        self._calls = calls
        self._audit = audit
        self._clock = clock

    def find(self, call_id: str) -> LiveCall:
        """Return the live call, or refuse with 404."""
        call = self._calls.call(call_id)
        if call is None or call.state == "ended":
            raise Refused("no_such_call", "There is no such live call.", 404)
        return call

    async def permit(
        self, principal: Principal, call: LiveCall, mode: Mode, remote: str, live: LiveSession | None = None
    ) -> None:
        """Refuse with 403 and a record what the principal may not, with 409 what the call does not allow now."""
        reason = missing(principal, call, mode)
        if reason:
            await self._denied(principal, call, mode, remote, live, reason)
            raise Refused(reason, "Your role does not allow that for this call.", status(reason))
        reason = obstacle(call, "listen")
        if reason:
            raise Refused(reason, "This call cannot be listened to now.", status(reason))

    def still(self, principal: Principal, call: LiveCall) -> None:
        """Refuse if listening was permitted a moment ago and is not any more."""
        reason = missing(principal, call, "listen") or obstacle(call, "listen")
        if reason:
            raise Refused(reason, "Not allowed any more.", status(reason))

    async def record(self, event: AuditEvent) -> None:
        """Write a record that no sample waits for; a failure is logged, since nothing can be taken back."""
        try:
            await self._audit.record(event)
        except Refused as refused:
            log.error("audit record %s not written: %s", event.kind, refused.id)

    async def _denied(
        self, principal: Principal, call: LiveCall, mode: Mode, remote: str, live: LiveSession | None, reason: str
    ) -> None:
        if live is not None:
            if self._clock() < live.denied_at + DENIED_EVERY_S:
                return
            live.denied_at = self._clock()
        await self.record(audit_event("listen.denied", principal, call, remote, mode=mode, reason=reason))
