"""Grants: the bridge's own permission for supervisor audio, and the two kinds of audio they let through.

`WhisperAudio` and `BargeAudio` are made here alone. The stream towards a customer takes `BargeAudio` and nothing else,
so a whisper has no way to it that would type-check.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple

LONGEST_TTL_MS: Final = 2000
"""A key held down is renewed several times in this span; a lost node is silent after it."""
_MS: Final = 1_000_000


class Mode(Enum):
    """Who hears the supervisor."""

    WHISPER = "whisper"
    BARGE = "barge"


class State(Enum):
    """The life of a grant, as it is told to control."""

    OPEN = "open"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REFUSED = "refused"


class Ask(NamedTuple):
    """A request to open or renew a grant; `leg` is the agent's leg."""

    session: int
    leg: int
    customer_leg: int
    mode: Mode
    counter: int
    ttl_ms: int


class WhisperAudio(NamedTuple):
    """Supervisor audio (16 bit linear) that the agent alone may hear."""

    session: int
    leg: int
    linear: bytes


class BargeAudio(NamedTuple):
    """Supervisor audio (16 bit linear) that agent and customer may hear."""

    session: int
    leg: int
    customer_leg: int
    linear: bytes


class Change(NamedTuple):
    """A grant that has just changed its state."""

    session: int
    state: State
    reason: str
    leg: int
    customer_leg: int


class _Grant(NamedTuple):
    ask: Ask
    until_ns: int


class Grants:
    """The open grants, on the bridge's own clock; `now` is CLOCK_MONOTONIC in nanoseconds."""

    def __init__(self) -> None:
        self._open: dict[int, _Grant] = {}
        self._counters: dict[int, int] = {}
        self._refused: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._open)

    def ask(self, ask: Ask, refusal: str, now: int) -> list[Change]:
        """Open or renew a grant, or refuse it for the reason `refusal`; a counter not above the last is ignored."""
        if ask.counter <= self._counters.get(ask.session, -1):
            return []
        self._counters[ask.session] = ask.counter
        if refusal:
            return self._refuse(ask, refusal)
        self._refused.pop(ask.session, None)
        held = self._open.get(ask.session)
        changes: list[Change] = []
        if held is not None and self._scope(held.ask) != self._scope(ask):
            changes = self.revoke(ask.session, "replaced")
            held = None
        self._open[ask.session] = _Grant(ask, now + min(ask.ttl_ms, LONGEST_TTL_MS) * _MS)
        if held is None:
            changes.append(_change(ask, State.OPEN, ""))
        return changes

    def admit(self, session: int, linear: bytes, now: int) -> WhisperAudio | BargeAudio | None:
        """Return the audio of `session` as what its grant makes it, or None without an open grant."""
        grant = self._open.get(session)
        if grant is None or now >= grant.until_ns:
            return None
        ask = grant.ask
        if ask.mode is Mode.WHISPER:
            return WhisperAudio(session, ask.leg, linear)
        return BargeAudio(session, ask.leg, ask.customer_leg, linear)

    def revoke(self, session: int, reason: str = "") -> list[Change]:
        """End the grant of `session` at once."""
        grant = self._open.pop(session, None)
        return [] if grant is None else [_change(grant.ask, State.REVOKED, reason)]

    def revoke_leg(self, leg: int, reason: str) -> list[Change]:
        """End every grant that touches `leg`."""
        return self._revoke([ask.session for ask in self.asks(leg)], reason)

    def revoke_all(self, reason: str) -> list[Change]:
        """End every grant, and forget all counters: the link is gone, and the next one starts anew."""
        self._counters.clear()
        self._refused.clear()
        return self._revoke(list(self._open), reason)

    def expire(self, now: int) -> list[Change]:
        """End the grants whose time is up."""
        over = [grant for grant in self._open.values() if now >= grant.until_ns]
        for grant in over:
            del self._open[grant.ask.session]
        return [_change(grant.ask, State.EXPIRED, "") for grant in over]

    def asked(self, session: int) -> Ask | None:
        """Return what the open grant of `session` allows."""
        grant = self._open.get(session)
        return None if grant is None else grant.ask

    def asks(self, leg: int) -> list[Ask]:
        """Return the open grants that reach `leg`."""
        return [g.ask for g in self._open.values() if leg in (g.ask.leg, g.ask.customer_leg)]

    def _refuse(self, ask: Ask, refusal: str) -> list[Change]:
        changes = self.revoke(ask.session, refusal)
        # A refused key is asked for again every 400 ms: say it once, until the reason changes.
        if self._refused.get(ask.session) != refusal:
            changes.append(_change(ask, State.REFUSED, refusal))
        self._refused[ask.session] = refusal
        return changes

    def _revoke(self, sessions: Iterable[int], reason: str) -> list[Change]:
        return [change for session in sessions for change in self.revoke(session, reason)]

    @staticmethod
    def _scope(ask: Ask) -> tuple[int, int, Mode]:
        return ask.leg, ask.customer_leg, ask.mode


def _change(ask: Ask, state: State, reason: str) -> Change:
    return Change(ask.session, state, reason, ask.leg, ask.customer_leg)
