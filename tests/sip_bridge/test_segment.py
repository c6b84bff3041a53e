import itertools
from collections.abc import Callable
from typing import Any

import pytest

from sip_bridge.errors import BridgeError
from sip_bridge.hooks import (
    CallAnswered,
    CallEnded,
    CallProgress,
    CallReferred,
    CallStarted,
    Hop,
    Route,
    Side,
    TransferProgress,
)
from sip_bridge.identity import Direction, Identity
from sip_bridge.legs import LegView, MediaView
from sip_bridge.segment import TABLE, Description, Segments

HOP = Hop("udp", "192.0.2.10", 5060)
A, B = Side.CALLER, Side.CALLEE
TALK = MediaView((LegView(1, A, "PCMU", 8000, False, True), LegView(2, B, "PCMU", 8000, False, True)))


def holding(*sides: Side) -> MediaView:
    return MediaView(TALK.legs, frozenset(sides))


class Book:
    """Segments with counted ids and short words for events."""

    def __init__(self) -> None:
        count = itertools.count(1)
        self.segments = Segments("b1", lambda: f"id{next(count)}")
        self.now = 0.0

    def start(
        self, call: str = "c", direction: Direction = Direction.INBOUND, agent: Side | None = B, **more: Any
    ) -> None:
        identity = Identity(more.pop("names", ("sip:201@pbx", "201")), "sales", "+4930")
        about = Description("pbx", more.pop("placement", "station"), direction, agent, identity, **more)
        route = Route(HOP, "sip:201@pbx", "pbx", "phones")
        event = CallStarted(call, route, HOP, "sip:201@pbx", {}, f"{call}-a", f"{call}-b")
        self.segments.start(event, about, self.now)
        self.segments.media(call, TALK, self.now)

    def answer(self, call: str = "c") -> None:
        self.segments.feed(CallAnswered(call), self.now)

    def hold(self, *sides: Side, call: str = "c") -> None:
        self.segments.media(call, holding(*sides), self.now)

    def end(self, call: str = "c", status: int = 200, reason: str = "OK", by: Side | None = A) -> None:
        self.segments.feed(CallEnded(call, status, reason, by), self.now)

    def state(self, call: str = "c") -> dict[str, Any]:
        self.segments.drain()
        segment = self.segments.of_call(call)
        assert segment is not None
        return segment.state_message("b1")


def test_the_state_has_every_member_of_the_protocol() -> None:
    book = Book()
    book.now = 2.5
    book.start()
    assert book.segments.drain() == [
        {
            "t": "segment", "id": "id2", "interaction": "id1", "bridge": "b1", "trunk": "pbx", "placement": "station",
            "role": "primary", "direction": "inbound", "state": "ringing", "hold_by": "",
            "state_since_ns": 2_500_000_000, "started_ns": 2_500_000_000, "answered_ns": None, "ended_ns": None,
            "cause": "", "call_ids": ["c-a", "c-b"],
            "identity": {"agent": ["sip:201@pbx", "201"], "queue": "sales", "customer": "+4930"},
            "legs": [
                {"leg": 1, "party": "customer", "codec": "PCMU", "clock": 8000, "held": False, "remote": True},
                {"leg": 2, "party": "agent", "codec": "PCMU", "clock": 8000, "held": False, "remote": True},
            ],
            "capabilities": ["listen", "measure"],
            "refused": {"whisper": "not_answered", "barge": "not_answered"},
        }
    ]  # fmt: skip
    assert book.segments.drain() == []


def test_the_life_of_a_call() -> None:
    book = Book()
    seen = []
    book.start()
    seen.append(book.state()["state"])
    steps: list[Callable[[], object]] = [
        lambda: book.segments.feed(CallProgress("c", 180, False), book.now),
        lambda: book.segments.feed(CallProgress("c", 183, True), book.now),
        book.answer,
        lambda: book.hold(A),
        book.hold,
        lambda: book.segments.feed(CallReferred("c", B, "sip:x@y", None), book.now),
        lambda: book.segments.feed(TransferProgress("c", 180), book.now),
        lambda: book.segments.feed(TransferProgress("c", 503), book.now),
    ]
    for now, step in enumerate(steps, 1):
        book.now = float(now)
        step()
        seen.append(book.state()["state"])
    assert seen == ["ringing", "ringing", "early", "talking", "hold", "talking", "transfer", "transfer", "talking"]
    assert book.state()["answered_ns"] == 3_000_000_000
    assert book.state()["state_since_ns"] == 8_000_000_000
    book.now = 9.0
    book.end(by=B)
    (last,) = book.segments.drain()
    assert (last["state"], last["ended_ns"], last["cause"]) == ("ended", 9_000_000_000, "hang_up_agent")
    assert len(book.segments) == 0
    assert book.segments.live() == []


def test_a_second_answer_changes_nothing() -> None:
    book = Book()
    book.start()
    book.answer()
    book.now = 5.0
    book.answer()
    assert book.state()["answered_ns"] == 0


def test_events_of_unknown_calls_are_ignored() -> None:
    book = Book()
    book.answer("nobody")
    book.hold(call="nobody")
    assert book.segments.drain() == []
    assert book.segments.dump("nobody") is None


@pytest.mark.parametrize(
    ("status", "reason", "by", "cause"),
    [
        (200, "OK", A, "hang_up_customer"),
        (200, "OK", None, "hang_up_bridge"),
        (487, "Request Terminated", A, "cancelled"),
        (486, "Busy Here", None, "486 Busy Here"),
    ],
)
def test_causes(status: int, reason: str, by: Side | None, cause: str) -> None:
    book = Book()
    book.start()
    book.end(status=status, reason=reason, by=by)
    assert book.segments.drain()[-1]["cause"] == cause


def test_who_holds() -> None:
    book = Book()
    book.start()
    book.hold(B)
    assert book.state()["hold_by"] == ""
    book.answer()
    assert (book.state()["state"], book.state()["hold_by"]) == ("hold", "agent")
    assert book.state()["refused"] == {"whisper": "agent_holds"}
    assert "barge" in book.state()["capabilities"]
    book.hold(A)
    assert (book.state()["hold_by"], book.state()["refused"]) == ("customer", {})
    book.hold(A, B)
    assert book.state()["hold_by"] == "agent"
    book.hold(A, B)
    assert book.segments.drain() == []


def test_reasons_for_what_cannot_be_done() -> None:
    book = Book()
    book.start("trunk", placement="trunk", names=())
    book.start("nobody", Direction.INTERNAL, agent=None, names=())
    book.start("codec", names=())
    for call in ("trunk", "nobody", "codec"):
        book.answer(call)
    book.segments.media("codec", MediaView(TALK.legs, refused="codec_not_supported"), 0.0)
    assert book.state("trunk")["refused"] == {"whisper": "trunk_side", "barge": "trunk_side"}
    assert book.state("nobody")["refused"] == {"whisper": "trunk_side", "barge": "trunk_side"}
    assert set(book.state("codec")["refused"].values()) == {"codec_not_supported"}
    assert book.state("codec")["capabilities"] == []
    book.segments.media("codec", MediaView(refused="encrypted"), 0.0)
    assert set(book.state("codec")["refused"].values()) == {"not_anchored"}


def test_an_agent_with_two_open_lines_gets_no_whisper_on_either() -> None:
    book = Book()
    book.start("one")
    book.answer("one")
    book.start("two", names=("201",))
    assert book.state("one")["refused"] == {}
    book.answer("two")
    changed = {state["id"] for state in book.segments.drain()}
    assert len(changed) == 2
    for call in ("one", "two"):
        assert set(book.state(call)["refused"].values()) == {"agent_has_two_lines"}
    book.end("two")
    assert {state["state"] for state in book.segments.drain()} == {"talking", "ended"}
    assert book.state("one")["refused"] == {}


def test_a_consult_is_joined_by_the_transfer() -> None:
    book = Book()
    book.start("first")
    book.answer("first")
    book.hold(B, call="first")
    book.now = 10.0
    book.start("consult", Direction.OUTBOUND, agent=A)
    assert book.state("consult")["role"] == "consult"
    assert book.state("consult")["interaction"] != book.state("first")["interaction"]
    book.segments.feed(CallReferred("first", B, "sip:x@y", "consult"), 11.0)
    assert {state["interaction"] for state in book.segments.drain()} == {"id1"}
    assert book.state("first")["state"] == "transfer"
    assert book.state("first")["hold_by"] == "agent"
    book.segments.feed(CallReferred("first", B, "sip:x@y", "gone"), 12.0)
    book.segments.feed(CallReferred("first", B, "sip:x@y", "first"), 12.0)
    assert book.state("first")["interaction"] == "id1"


def test_an_invite_with_replaces_joins_but_still_rings() -> None:
    book = Book()
    book.start("old")
    book.start("new", names=("sip:202@pbx",))
    book.segments.feed(CallReferred("new", A, "sip:202@pbx", "old"), 1.0)
    assert book.state("new")["state"] == "ringing"
    assert book.state("new")["interaction"] == book.state("old")["interaction"]


def test_a_header_names_the_interaction_and_two_phones_are_internal() -> None:
    book = Book()
    book.start("c", Direction.INTERNAL, agent=A, interaction="f" * 32)
    state = book.state()
    assert (state["interaction"], state["role"]) == ("f" * 32, "internal")
    assert [leg["party"] for leg in state["legs"]] == ["agent", "third"]
    segment = book.segments.get(state["id"])
    assert segment is not None
    assert (segment.leg_of("agent"), segment.leg_of("coach")) == (1, None)


def test_a_restarted_bridge_announces_the_same_segment() -> None:
    book = Book()
    book.start()
    book.answer()
    data = book.segments.dump("c")
    assert data is not None
    again = Book()
    again.segments.restore("c", data)
    again.segments.media("c", TALK, 99.0)
    assert again.segments.live() == book.segments.live()
    nobody = Book()
    nobody.start(agent=None, names=())
    data = nobody.segments.dump("c")
    assert data is not None
    assert Book().segments.restore("c", data).about.agent is None


@pytest.mark.parametrize("data", [{}, {"identity": 1}, {"identity": {"agent": [], "queue": "", "customer": ""}}])
def test_foreign_data_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(BridgeError, match="segment"):
        Book().segments.restore("c", data)


def test_every_state_can_end() -> None:
    states = {state for state, _ in TABLE} | set(TABLE.values())
    assert {state for state, event in TABLE if event == "ended"} == states - {"ended"}
