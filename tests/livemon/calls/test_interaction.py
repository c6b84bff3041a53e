from __future__ import annotations

from livemon.calls.directory import AgentIndex
from livemon.calls.interaction import Interaction, agent_of, leg_codecs, leg_of, make_view, refusals
from livemon.tap.messages import Identity, Leg
from tests.segments import DIRECTORY, RINGING, TALKING, segment

INDEX = AgentIndex(DIRECTORY)


def call(*segments: object) -> Interaction:
    made = Interaction("i1", "b1", 0, 1000)
    for number, item in enumerate(segments):
        made.segments[str(number)] = item  # type: ignore[assignment]
    return made


def test_codecs_of_a_leg() -> None:
    assert leg_codecs(Leg(1, "agent", "pcma")) == {8: "PCMA", 13: "CN", 101: "TELEPHONE-EVENT"}
    assert leg_codecs(Leg(1, "agent", "PCMU", codecs={"0": "pcmu", "96": "telephone-event", "x": "y", "²": "z"})) == {
        0: "PCMU",
        96: "TELEPHONE-EVENT",
    }
    assert leg_codecs(Leg(1, "agent", "G729")) == {}


def test_the_chosen_segment_is_alive_then_primary_then_newest() -> None:
    consult = segment(role="consult", started_ns=9)
    held = segment(state="hold", started_ns=1)
    ended = segment(state="ended", started_ns=99)
    newer = segment(started_ns=2)
    assert call().chosen is None
    assert call(ended, consult).chosen is consult
    assert call(consult, held).chosen is held
    assert call(held, newer, ended).chosen is newer
    assert call(ended).alive is False


def test_the_view_of_a_known_agent() -> None:
    view = make_view("n", call(TALKING), INDEX, {"barge": "no"}, 5)
    assert (view.agent_id, view.agent_name, view.team, view.team_name) == ("anna", "Anna Abel", "t1", "Sales")
    assert (view.queue, view.queue_name, view.customer) == ("billing", "Billing", "•••• 5678")
    assert (view.agent_leg, view.customer_leg) == (7, 8)
    assert view.capabilities == ("listen", "measure", "whisper")


def test_the_view_of_an_unknown_agent_without_legs() -> None:
    stranger = segment(identity=Identity(("999",), "other", "bob"), legs=())
    view = make_view("n", call(stranger), INDEX, {}, 5)
    assert (view.agent_id, view.agent_name, view.team, view.team_name) == ("unassigned", "", "", "")
    assert (view.queue, view.queue_name, view.customer) == ("other", "other", "bob")
    assert (view.agent_leg, view.customer_leg) == (None, None)
    assert agent_of(call(), INDEX) is None
    assert leg_of(stranger, "agent") is None


def test_refusals() -> None:
    assert refusals(TALKING, attached=True, lines=1) == {}
    assert refusals(segment(refused={"whisper": "trunk_side"}), attached=True, lines=1) == {"whisper": "trunk_side"}
    assert refusals(TALKING, attached=True, lines=2) == {
        "whisper": "agent_has_two_lines",
        "barge": "agent_has_two_lines",
    }
    assert set(refusals(TALKING, attached=False, lines=1).values()) == {"bridge_away"}
    assert set(refusals(segment(RINGING, state="ended"), attached=True, lines=0).values()) == {"call_ended"}
