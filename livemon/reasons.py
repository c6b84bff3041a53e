"""The reason ids of refusals: one set for node, web process and pages, and what each means in HTTP.

Pages have a text for every id in `web/src/strings/en.ts` (`reason.<id>`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NO_RIGHT: Final = "no_right"
NOT_IN_SCOPE: Final = "not_in_scope"
BRIDGE_AWAY: Final = "bridge_away"
NODE_LOST: Final = "node_lost"

STATUS: Final[Mapping[str, int]] = {
    # Who asks.
    NO_RIGHT: 403,
    # The same answer as for a call that is not there: whoever may not see it learns nothing about it.
    NOT_IN_SCOPE: 404,
    "not_signed_in": 401,
    "signed_out": 401,
    # What is asked for.
    "no_such_call": 404,
    "no_such_session": 404,
    "bad_sdp": 422,
    "other_node": 409,
    "call_ended": 409,
    # What the call does not allow now.
    "trunk_side": 409,
    "codec_not_supported": 409,
    "agent_has_two_lines": 409,
    "agent_holds": 409,
    "not_answered": 409,
    "private_call": 409,
    "encrypted": 409,
    "no_audio": 409,
    "no_media": 409,
    "no_such_segment": 409,
    "third": 409,
    "sdp_not_understood": 409,
    "not_possible": 409,
    "not_connected": 409,
    "unknown_mode": 409,
    "refused_by_bridge": 409,
    # What passes by itself: asking again is right.
    BRIDGE_AWAY: 503,
    NODE_LOST: 503,
    "no_such_target": 503,
    "node_silent": 504,
    "node_stops": 503,
    "bus_away": 503,
    "busy": 503,
    "audit_unavailable": 503,
    "no_webrtc": 503,
    "too_many_sessions": 429,
    # Why a session has ended.
    "browser_closed": 409,
    "consent_lost": 409,
    "closed_by_user": 409,
}


def status(reason: str) -> int:
    """Return the HTTP status of a reason id; one that only a bridge knows is a conflict with the state of the call."""
    return STATUS.get(reason, 409)
