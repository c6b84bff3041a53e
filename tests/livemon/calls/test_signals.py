from __future__ import annotations

from typing import get_args

import pytest

from livemon.bus.messages import CallState
from livemon.calls.signals import SIGNALS, signals

STATES = get_args(CallState)


def test_every_change_of_state_means_something() -> None:
    missing = {
        (before, after)
        for before in ("new", *STATES)
        for after in STATES
        if before != after and (before, after) not in SIGNALS
    }
    assert missing == set()


@pytest.mark.parametrize("state", STATES)
def test_nothing_changed_means_nothing(state: CallState) -> None:
    assert signals(state, "", state, "") == ()


def test_another_holder_is_said_and_a_strange_holder_change_is_not() -> None:
    assert signals("hold", "agent", "hold", "customer") == ("hold",)
    assert signals("talking", "agent", "talking", "") == ()
    assert signals("ringing", "", "hold", "agent") == ("answered", "hold")
