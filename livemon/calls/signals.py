"""Turns the states of an interaction into the signals the talk analysis hears, as one table."""

from __future__ import annotations

from typing import Literal

from livemon.bus.messages import CallState
from livemon.calls.events import SignalName

Before = CallState | Literal["new"]

# An answered state that was reached without ringing being seen still needs its `answered` first.
_UNANSWERED: tuple[Before, ...] = ("new", "ringing", "early")
_ANSWERED: tuple[CallState, ...] = ("talking", "hold", "transfer", "ended")

SIGNALS: dict[tuple[Before, CallState], tuple[SignalName, ...]] = {
    ("new", "ringing"): ("ringing",),
    ("new", "early"): ("early",),
    ("new", "talking"): ("answered",),
    ("new", "hold"): ("answered", "hold"),
    ("new", "transfer"): ("answered", "transfer"),
    ("new", "ended"): ("ended",),
    ("ringing", "early"): ("early",),
    ("ringing", "talking"): ("answered",),
    ("ringing", "hold"): ("answered", "hold"),
    ("ringing", "transfer"): ("answered", "transfer"),
    ("ringing", "ended"): ("ended",),
    ("early", "ringing"): ("ringing",),
    ("early", "talking"): ("answered",),
    ("early", "hold"): ("answered", "hold"),
    ("early", "transfer"): ("answered", "transfer"),
    ("early", "ended"): ("ended",),
    ("talking", "ringing"): ("transfer", "ringing"),
    ("talking", "early"): ("transfer", "early"),
    ("talking", "hold"): ("hold",),
    ("talking", "transfer"): ("transfer",),
    ("talking", "ended"): ("ended",),
    ("hold", "ringing"): ("transfer", "ringing"),
    ("hold", "early"): ("transfer", "early"),
    ("hold", "talking"): ("resume",),
    ("hold", "hold"): ("hold",),
    ("hold", "transfer"): ("transfer",),
    ("hold", "ended"): ("ended",),
    ("transfer", "ringing"): ("ringing",),
    ("transfer", "early"): ("early",),
    ("transfer", "talking"): ("transferred",),
    ("transfer", "hold"): ("transferred", "hold"),
    ("transfer", "ended"): ("ended",),
    # After a blind transfer the next segment of the same interaction may begin when the first has already ended.
    ("ended", "ringing"): ("transfer", "ringing"),
    ("ended", "early"): ("transfer", "early"),
    ("ended", "talking"): ("transferred",),
    ("ended", "hold"): ("transferred", "hold"),
    ("ended", "transfer"): ("transfer",),
}


def signals(before: Before, hold_before: str, after: CallState, hold_after: str) -> tuple[SignalName, ...]:
    """Return what a change of state means, in order; nothing when nothing changed."""
    if before == after and hold_before == hold_after:
        return ()
    return SIGNALS.get((before, after), ())
