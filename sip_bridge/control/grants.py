"""Who may speak into which call: grants asked for by the node, checked against the record of the call.

The media process holds the grant itself and counts its life; this core decides whether it is passed on, and takes it
back when the call changes so that it may no longer stand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from sip_bridge.segment import Segments

MAX_TTL_MS: Final = 2000
"""Longest life of a grant without renewal."""
GAIN_RANGE: Final = (-20.0, 12.0)
DUCK_RANGE: Final = (-20.0, 0.0)
"""Decibels a supervisor may be raised, and the customer lowered for the agent, as the protocol says."""
MAX_SESSION: Final = 0xFFFF_FFFF

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows from a message: commands for the media process, messages for the node."""

    commands: tuple[Message, ...] = ()
    messages: tuple[Message, ...] = ()


class Grants:
    """The grants of all sessions, by session."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._open: dict[int, tuple[str, str]] = {}
        """Session to (segment id, mode)."""

    def __contains__(self, session: object) -> bool:
        return session in self._open

    def __len__(self) -> int:
        return len(self._open)

    def ask(self, message: Message) -> Outcome:
        """Take a `grant` message: pass it on or refuse it."""
        session, mode, counter = message.get("session"), message.get("mode"), message.get("counter")
        ttl = message.get("ttl_ms")
        if not _whole(session, MAX_SESSION) or not _whole(counter, 1 << 62) or not _whole(ttl, 1 << 31):
            return Outcome()
        if mode not in ("whisper", "barge"):
            return self._refuse(session, "unknown_mode")
        segment = self._segments.get(str(message.get("segment")))
        reason = "no_such_segment" if segment is None else segment.refusals().get(mode, "")
        agent = segment.leg_of("agent") if segment else None
        other = next((leg.leg for leg in segment.media.legs if leg.leg != agent), None) if segment else None
        if segment is None or agent is None or other is None or reason:
            return self._refuse(session, reason or "no_media")
        self._open[session] = (segment.id, mode)
        command = {
            "cmd": "grant", "session": session, "leg": agent, "customer_leg": other, "mode": mode,
            "counter": counter, "ttl_ms": min(ttl, MAX_TTL_MS),
        }  # fmt: skip
        return Outcome(commands=(command,))

    def revoke(self, message: Message) -> Outcome:
        """Take a `revoke` message."""
        session = message.get("session")
        if not _whole(session, MAX_SESSION):
            return Outcome()
        self._open.pop(session, None)
        return Outcome(commands=({"cmd": "revoke", "session": session},))

    def gain(self, message: Message) -> Outcome:
        """Take a `gain` message; figures outside the range are moved to its edge."""
        session, whisper, duck = message.get("session"), message.get("whisper_db"), message.get("duck_db")
        if not _whole(session, MAX_SESSION) or not _number(whisper) or not _number(duck):
            return Outcome()
        command = {
            "cmd": "gain", "session": session, "whisper_db": _within(whisper, GAIN_RANGE),
            "duck_db": _within(duck, DUCK_RANGE),
        }  # fmt: skip
        return Outcome(commands=(command,))

    def changed(self, states: Collection[Message]) -> Outcome:
        """Take back the grants that the new states of these segments no longer allow."""
        if not self._open:
            return Outcome()
        refused = {state["id"]: _refused(state) for state in states}
        lost = {
            session: refused[segment][mode]
            for session, (segment, mode) in self._open.items()
            if mode in refused.get(segment, {})
        }
        for session in lost:
            del self._open[session]
        return Outcome(
            tuple({"cmd": "revoke", "session": session} for session in lost),
            tuple(grant_state(session, "revoked", reason) for session, reason in lost.items()),
        )

    def told(self, event: Message) -> Outcome:
        """Take a `grant_state` event of the media process and pass it on."""
        session, state = event.get("session"), str(event.get("state"))
        if not _whole(session, MAX_SESSION):
            return Outcome()
        if state != "open":
            self._open.pop(session, None)
        return Outcome(messages=(grant_state(session, state, str(event.get("reason") or "")),))

    def lost(self) -> Outcome:
        """The link is gone: nobody's grant outlives it."""
        self._open.clear()
        return Outcome(commands=({"cmd": "revoke_all"},))

    def _refuse(self, session: int, reason: str) -> Outcome:
        """Refuse, and take back what the session may have had before."""
        held = self._open.pop(session, None)
        commands: tuple[Message, ...] = ({"cmd": "revoke", "session": session},) if held else ()
        return Outcome(commands, (grant_state(session, "refused", reason),))


def grant_state(session: int, state: str, reason: str) -> Message:
    """Return the link's message on the life of a grant."""
    return {"t": "grant_state", "session": session, "state": state, "reason": reason}


def _refused(state: Message) -> Mapping[str, str]:
    if state["state"] == "ended":
        return {"whisper": "ended", "barge": "ended"}
    refused: Mapping[str, str] = state["refused"]
    return refused


def _whole(value: Any, top: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= top


def _number(value: Any) -> TypeGuard[float]:
    # NaN compares false with everything, so it does not pass.
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e6 < value < 1e6


def _within(value: float, bounds: tuple[float, float]) -> float:
    return min(max(float(value), bounds[0]), bounds[1])
