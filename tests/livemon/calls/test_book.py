from __future__ import annotations

import pytest

from livemon.bus.messages import CallView, Directory
from livemon.calls.book import AWAY, LINGER, CallBook
from livemon.calls.events import CallChanged, CallEvent, CallGone, CallStarted, LegAdded, LegRemoved, Signalled
from livemon.tap.messages import Leg
from tests.segments import DIRECTORY, RINGING, TALKING, for_agent, segment

PCMU = {0: "PCMU", 13: "CN", 101: "TELEPHONE-EVENT"}


@pytest.fixture
def book() -> CallBook:
    made = CallBook("node-0", DIRECTORY)
    made.attach("b1", 0, 1_000_000, 0.0)
    return made


def view(book: CallBook, call: str = "i1") -> CallView:
    found = book.get(call)
    assert found is not None
    assert found.view is not None
    return found.view


def without_views(book: CallBook) -> list[CallEvent]:
    return [event for event in book.drain() if not isinstance(event, CallChanged)]


def test_a_call_from_ringing_to_gone(book: CallBook) -> None:
    book.announce("b1", segment(RINGING, legs=()), 1.0)
    assert without_views(book) == [CallStarted("b1", "i1", 1_000_000), Signalled("b1", "i1", "ringing", 1_000_000)]
    assert (view(book).state, view(book).started_at_ms, view(book).answered_at_ms) == ("ringing", 1_001_000, None)

    book.announce("b1", TALKING, 2.0)
    assert without_views(book) == [
        LegAdded("b1", 7, "i1", "agent", PCMU),
        LegAdded("b1", 8, "i1", "customer", PCMU),
        Signalled("b1", "i1", "answered", 2_000_000),
    ]
    assert (view(book).answered_at_ms, view(book).state_since_ms) == (1_002_000, 1_002_000)

    book.announce("b1", segment(state="hold", hold_by="agent", state_since_ns=3_000_000_000), 3.0)
    assert without_views(book) == [Signalled("b1", "i1", "hold", 3_000_000, "agent")]
    assert view(book).hold_by == "agent"

    book.announce("b1", segment(state="ended", state_since_ns=4_000_000_000), 4.0)
    assert without_views(book) == [
        LegRemoved("b1", 7),
        LegRemoved("b1", 8),
        Signalled("b1", "i1", "ended", 4_000_000),
    ]
    assert (view(book).state, view(book).capabilities) == ("ended", ())
    book.tick(4.0 + LINGER - 0.01)
    assert book.drain() == []
    book.tick(4.0 + LINGER)
    assert book.drain() == [CallGone("b1", "i1")]
    assert (len(book), book.views(), book.find("b1", "s1")) == (0, [], None)


def test_a_repeated_announcement_changes_nothing(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    book.drain()
    book.announce("b1", TALKING, 2.0)
    assert book.drain() == []


def test_an_ended_segment_that_was_never_seen_is_no_call(book: CallBook) -> None:
    book.announce("b1", segment(state="ended"), 1.0)
    assert (book.drain(), len(book)) == ([], 0)


def test_reannouncement_updates_and_ends_what_is_not_named(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    book.announce("b1", segment(id="s2", interaction="i2", identity=for_agent("202"), legs=()), 1.0)
    book.detach("b1", 2.0)
    assert view(book).refused == dict.fromkeys(TALKING.capabilities, "bridge_away")
    book.attach("b1", 3_000_000_000, 1_003_000, 3.0)
    assert view(book).refused == dict.fromkeys(TALKING.capabilities, "bridge_away"), "not before it is named again"
    book.drain()
    book.announce("b1", TALKING, 3.0)
    assert [type(event) for event in book.drain()] == [CallChanged]
    assert view(book).refused == {}
    book.announced("b1", 3.5)
    assert view(book).state == "talking"
    ended = view(book, "i2")
    assert (ended.state, ended.state_since_ms) == ("ended", 1_003_500)
    book.announced("b1", 4.0)
    assert view(book, "i2").state_since_ms == 1_003_500


def test_the_calls_of_a_bridge_that_stays_away_end(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    book.detach("b1", 2.0)
    book.tick(2.0 + AWAY - 1)
    assert view(book).state == "talking"
    book.tick(2.0 + AWAY)
    assert view(book).state == "ended"
    book.tick(2.0 + AWAY + LINGER)
    assert len(book) == 0
    book.tick(2.0 + AWAY + LINGER + 1)


def test_a_blind_transfer_is_one_interaction(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    book.announce("b1", segment(state="ended", state_since_ns=5_000_000_000), 5.0)
    book.drain()
    second = segment(
        id="s2",
        started_ns=6_000_000_000,
        state_since_ns=6_000_000_000,
        identity=for_agent("202"),
        legs=(Leg(9, "agent"),),
    )
    book.announce("b1", second, 6.0)
    assert without_views(book) == [
        LegAdded("b1", 9, "i1", "agent", {}),
        Signalled("b1", "i1", "transferred", 2_000_000),
    ]
    book.tick(20.0)
    assert (view(book).agent_id, view(book).segment) == ("ben", "s2")
    assert (view(book).started_at_ms, view(book).answered_at_ms) == (1_001_000, 1_002_000)


def test_joining_moves_a_segment_and_keeps_its_legs_measured(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    book.announce("b1", segment(id="s2", interaction="i2", role="consult", legs=(Leg(9, "third"),)), 1.0)
    book.drain()
    book.announce("b1", segment(id="s2", role="consult", legs=(Leg(9, "third"),)), 2.0)
    assert without_views(book) == [LegAdded("b1", 9, "i1", "third", {}), CallGone("b1", "i2")]
    assert book.find("b1", "s2") == "i1"


def test_a_segment_that_leaves_a_call_with_others_settles_it(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    book.announce("b1", segment(id="s2", role="consult", legs=()), 1.0)
    book.announce("b1", segment(interaction="i9"), 2.0)
    assert [call.id for call in book] == ["i1", "i9"]
    assert view(book).segment == "s2"


def test_a_segment_that_is_joined_as_it_ends_leaves_an_ended_call(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    book.announce("b1", segment(interaction="i9", state="ended"), 2.0)
    assert [call.id for call in book] == ["i9"]
    assert view(book, "i9").state == "ended"


def test_two_open_segments_of_one_agent_refuse_whisper_until_one_ends(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    second = segment(id="s2", interaction="i2", identity=for_agent("<sip:201@pbx:5060>"), legs=())
    book.announce("b1", second, 1.0)
    two = {"whisper": "agent_has_two_lines", "barge": "agent_has_two_lines"}
    assert (view(book).refused, view(book, "i2").refused) == (two, two)
    assert view(book).capabilities == ("listen", "measure")
    book.announce("b1", segment(second, state="ended"), 2.0)
    assert view(book).refused == {}
    book.announce("b1", segment(state="ended"), 2.0)
    assert book.keep() == []


def test_two_lines_of_an_unknown_agent_count_by_address_and_no_address_never(book: CallBook) -> None:
    for number, identity in enumerate([for_agent("999"), for_agent("sip:999@x"), for_agent(), for_agent(" ")]):
        book.announce("b1", segment(id=f"s{number}", interaction=f"i{number}", identity=identity), 1.0)
    assert [view(book, f"i{number}").refused.get("whisper", "") for number in range(4)] == [
        "agent_has_two_lines",
        "agent_has_two_lines",
        "",
        "",
    ]


def test_a_new_directory_renames_and_recounts(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    book.announce("b1", segment(id="s2", interaction="i2", identity=for_agent("202")), 1.0)
    book.announce("b1", segment(id="s3", interaction="i3", state="ended", identity=for_agent("202")), 1.0)
    one_person = Directory(2, (DIRECTORY.agents[0].__class__("x", "X", "1", "t9", (), ("201", "202")),), (), ())
    book.directory(one_person)
    assert (view(book).agent_id, view(book).team_name) == ("x", "t9")
    assert view(book).refused["whisper"] == "agent_has_two_lines"


def test_legs_change_within_a_segment(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    book.drain()
    book.announce("b1", segment(legs=(Leg(7, "agent", "PCMA"), Leg(9, "customer", "PCMU"))), 2.0)
    assert without_views(book) == [
        LegRemoved("b1", 8),
        LegAdded("b1", 7, "i1", "agent", {8: "PCMA", 13: "CN", 101: "TELEPHONE-EVENT"}),
        LegAdded("b1", 9, "i1", "customer", PCMU),
    ]


def test_listeners_and_proof_failures_show(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    book.listening("i1", 2, ("listen", "whisper"))
    book.listening("nowhere", 1, ())
    book.proof("b1", "s1", 3)
    book.proof("b1", "nowhere", 3)
    assert (view(book).listeners, view(book).modes, view(book).proof_failures) == (2, ("listen", "whisper"), 3)


def test_a_small_move_of_the_anchor_does_not_touch_the_views(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    book.drain()
    book.anchor("b1", 60_000_000_000, 1_060_400, 60.0)
    book.listening("i1", 0, ())
    assert book.drain() == []
    book.anchor("b1", 120_000_000_000, 1_130_000, 120.0)
    book.listening("i1", 0, ())
    assert view(book).state_since_ms == 1_012_000
    assert view(book).started_at_ms == 1_001_000


def test_the_same_interaction_on_two_bridges_is_two(book: CallBook) -> None:
    book.attach("b2", 0, 0, 0.0)
    book.announce("b1", TALKING, 1.0)
    book.announce("b2", TALKING, 1.0)
    assert [call.id for call in book] == ["i1", "i1.b2"]
    book.detach("b2", 2.0)
    assert view(book).refused.get("listen", "") == ""


def test_a_checkpoint_brings_back_what_live_segments_cannot_tell(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    book.announce("b1", segment(id="s0", interaction="i0", identity=for_agent("202")), 1.0)
    book.proof("b1", "s1", 1)
    kept = book.keep()

    later = CallBook("node-0", DIRECTORY)
    later.recall(kept)
    later.attach("b1", 9_000_000_000, 1_009_500, 9.0)
    after = segment(id="s2", started_ns=8_000_000_000, answered_ns=8_000_000_000, state_since_ns=8_000_000_000)
    later.announce("b1", after, 9.0)
    assert without_views(later) == [
        CallStarted("b1", "i1", 1_000_000),
        LegAdded("b1", 7, "i1", "agent", PCMU),
        LegAdded("b1", 8, "i1", "customer", PCMU),
    ]
    got = view(later)
    assert (got.started_at_ms, got.answered_at_ms, got.proof_failures) == (1_001_000, 1_002_000, 1)
    assert {call.id for call in later.keep()} == {"i0", "i1"}
    later.announced("b1", 9.0)
    assert {call.id for call in later.keep()} == {"i1"}


def test_a_kept_call_of_another_bridge_is_not_taken_over(book: CallBook) -> None:
    book.announce("b1", TALKING, 1.0)
    later = CallBook("node-0")
    later.recall(book.keep())
    later.attach("b2", 0, 0, 0.0)
    later.announce("b2", TALKING, 1.0)
    assert view(later).started_at_ms == 1000
