from typing import Any

import pytest

from sip_bridge.control.grants import Grants
from sip_bridge.hooks import CallAnswered, CallEnded, CallStarted, Hop, Route, Side
from sip_bridge.identity import Direction, Identity
from sip_bridge.legs import LegView, MediaView
from sip_bridge.segment import Description, Segments

HOP = Hop("udp", "192.0.2.10", 5060)
LEGS = (
    LegView(1, Side.CALLER, "PCMU", 8000, False, True),
    LegView(2, Side.CALLEE, "PCMU", 8000, False, True),
)
ASK = {"t": "grant", "session": 5, "segment": "id", "mode": "whisper", "counter": 1, "ttl_ms": 9000}


class Desk:
    def __init__(self) -> None:
        ids = iter(["interaction", "id"])
        self.segments = Segments("b1", lambda: next(ids))
        about = Description("pbx", "station", Direction.INBOUND, Side.CALLEE, Identity(("201",), "", ""))
        event = CallStarted("call", Route(HOP, "", "pbx", "phones"), HOP, "", {}, "a", "b")
        self.segments.start(event, about, 0.0)
        self.segments.media("call", MediaView(LEGS), 0.0)
        self.segments.feed(CallAnswered("call"), 0.0)
        self.segments.drain()
        self.grants = Grants(self.segments)


def test_a_grant_is_passed_on_with_both_legs_and_at_most_two_seconds() -> None:
    desk = Desk()
    outcome = desk.grants.ask(ASK)
    assert outcome.commands == (
        {
            "cmd": "grant", "session": 5, "leg": 2, "customer_leg": 1, "mode": "whisper", "counter": 1,
            "ttl_ms": 2000,
        },
    )  # fmt: skip
    assert outcome.messages == ()
    assert 5 in desk.grants
    assert len(desk.grants) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"segment": "other"}, "no_such_segment"), ({"mode": "takeover"}, "unknown_mode")],
)
def test_refusals_say_why(change: dict[str, Any], reason: str) -> None:
    outcome = Desk().grants.ask({**ASK, **change})
    assert outcome.commands == ()
    assert outcome.messages == ({"t": "grant_state", "session": 5, "state": "refused", "reason": reason},)


def test_a_hold_by_the_agent_refuses_and_takes_back() -> None:
    desk = Desk()
    desk.grants.ask(ASK)
    desk.segments.media("call", MediaView(LEGS, frozenset({Side.CALLEE})), 0.0)
    outcome = desk.grants.ask({**ASK, "counter": 2})
    assert outcome.commands == ({"cmd": "revoke", "session": 5},)
    assert outcome.messages[0]["reason"] == "agent_holds"
    desk.segments.media("call", MediaView(), 0.0)
    assert desk.grants.ask(ASK).messages[0]["reason"] == "no_media"


@pytest.mark.parametrize("change", [{"session": -1}, {"session": True}, {"counter": "x"}, {"ttl_ms": None}])
def test_nonsense_is_ignored(change: dict[str, Any]) -> None:
    outcome = Desk().grants.ask({**ASK, **change})
    assert (outcome.commands, outcome.messages) == ((), ())


def test_a_change_of_the_call_takes_the_grant_back() -> None:
    desk = Desk()
    assert desk.grants.changed([]).commands == ()
    desk.grants.ask(ASK)
    assert desk.grants.changed(desk.segments.live()).commands == ()
    desk.segments.media("call", MediaView(LEGS, frozenset({Side.CALLEE})), 0.0)
    outcome = desk.grants.changed(desk.segments.drain())
    assert outcome.commands == ({"cmd": "revoke", "session": 5},)
    assert outcome.messages[0]["state"] == "revoked"
    assert 5 not in desk.grants


def test_the_end_of_the_call_takes_the_grant_back() -> None:
    desk = Desk()
    desk.grants.ask({**ASK, "mode": "barge"})
    desk.segments.feed(CallEnded("call", 200, "OK", None), 1.0)
    assert desk.grants.changed(desk.segments.drain()).messages[0]["reason"] == "ended"


def test_revoke_and_the_end_of_the_link() -> None:
    desk = Desk()
    desk.grants.ask(ASK)
    assert desk.grants.revoke({"session": 5}).commands == ({"cmd": "revoke", "session": 5},)
    assert desk.grants.revoke({"session": "x"}).commands == ()
    desk.grants.ask(ASK)
    assert desk.grants.lost().commands == ({"cmd": "revoke_all"},)
    assert len(desk.grants) == 0


def test_gains_are_kept_in_their_range() -> None:
    grants = Desk().grants
    assert grants.gain({"session": 5, "whisper_db": 40, "duck_db": -90.5}).commands == (
        {"cmd": "gain", "session": 5, "whisper_db": 12.0, "duck_db": -20.0},
    )
    for wrong in ({"session": 5}, {"session": None, "whisper_db": 1, "duck_db": 1}):
        assert grants.gain(wrong).commands == ()
    assert grants.gain({"session": 5, "whisper_db": float("nan"), "duck_db": 1}).commands == ()


def test_what_media_says_of_a_grant_is_passed_on() -> None:
    desk = Desk()
    desk.grants.ask(ASK)
    opened = desk.grants.told({"ev": "grant_state", "session": 5, "state": "open", "reason": ""})
    assert opened.messages == ({"t": "grant_state", "session": 5, "state": "open", "reason": ""},)
    assert 5 in desk.grants
    desk.grants.told({"session": 5, "state": "expired", "reason": None})
    assert 5 not in desk.grants
    assert desk.grants.told({"session": "x"}).messages == ()
