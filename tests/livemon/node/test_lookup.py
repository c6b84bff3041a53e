from __future__ import annotations

from livemon.calls.book import CallBook
from livemon.calls.interaction import Interaction
from livemon.listen.ports import LegMedia
from livemon.node.lookup import CallFinder, FoundCall
from livemon.node.port import LinkPort
from livemon.tap.messages import Leg
from tests.segments import DIRECTORY, TALKING, for_agent, segment

CODECS = {0: "PCMU", 13: "CN", 101: "TELEPHONE-EVENT"}


def finder(*announced: object) -> tuple[CallFinder, LinkPort]:
    book, port = CallBook("n", DIRECTORY), LinkPort()
    book.attach("b1", 0, 0, 0.0)
    for item in announced:
        book.announce("b1", item, 0.0)  # type: ignore[arg-type]
    return CallFinder(book, {"b1": port}), port


def test_a_live_call() -> None:
    consult = segment(id="s2", role="consult", legs=(Leg(9, "third", ""),), identity=for_agent("202"))
    old = segment(id="s3", state="ended", legs=(Leg(10, "third"),))
    find, port = finder(TALKING, consult, old)
    call = find.call("i1")
    assert call is not None
    assert (call.id, call.segment, call.bridge_name, call.state) == ("i1", "s1", "b1", "talking")
    assert call.bridge is port
    assert (call.agent_id, call.team, call.queue) == ("anna", "t1", "billing")
    assert call.agent_leg == LegMedia(7, "agent", "PCMU", CODECS)
    assert call.customer_leg == LegMedia(8, "customer", "PCMU", CODECS)
    assert call.other_legs == (LegMedia(9, "third", "PCMU", {}),)


def test_what_can_be_done() -> None:
    find, _ = finder(segment(refused={"whisper": "agent_holds"}))
    call = find.call("i1")
    assert call is not None
    assert [call.can(name) for name in ("listen", "whisper", "takeover")] == ["", "agent_holds", "not_possible"]


def test_calls_that_cannot_be_heard_are_not_found() -> None:
    find, _ = finder(TALKING)
    assert find.call("nowhere") is None
    find, _ = finder(TALKING, segment(state="ended"))
    assert find.call("i1") is None
    book = CallBook("n")
    book.attach("b9", 0, 0, 0.0)
    book.announce("b9", TALKING, 0.0)
    assert CallFinder(book, {}).call("i1") is None


def test_a_call_without_a_view_belongs_to_nobody_and_allows_nothing() -> None:
    call = FoundCall(Interaction("i1", "b1", 0, 0), segment(legs=()), LinkPort())
    assert (call.agent_id, call.team, call.queue, call.can("listen")) == ("unassigned", "", "", "not_possible")
    assert (call.agent_leg, call.customer_leg, call.other_legs) == (None, None, ())
