from __future__ import annotations

import msgspec

from livemon.bus.messages import AlertView, CallView
from livemon.calls.directory import AgentIndex
from livemon.calls.interaction import Interaction, make_view
from livemon.node.publisher import Publisher
from tests.segments import TALKING


def view(call: str = "i1", state_since: int = 0) -> CallView:
    return make_view("n", Interaction(call, "b1", 0, 0, segments={"s": TALKING}), AgentIndex(), {}, state_since)


ALERT = AlertView("a", "i1", "hold", "warn", "raised", 1, 1, 1)


def test_only_the_newest_of_a_call_and_of_an_alert_goes_out_and_only_once() -> None:
    made = Publisher("n")
    assert not made.urgent
    made.changed(view())
    made.changed(view(state_since=5))
    made.alert(ALERT)
    cleared = msgspec.structs.replace(ALERT, state="cleared")
    made.alert(cleared)
    assert made.urgent
    update = made.update(100)
    assert (update.seq, update.now_ms, update.full) == (1, 100, False)
    assert update.calls == (view(state_since=5),)
    assert update.alerts == (cleared,)
    assert not made.urgent
    assert made.update(200).calls == ()


def test_a_call_is_either_there_or_gone() -> None:
    made = Publisher("n")
    made.changed(view())
    made.gone("i1")
    made.gone("i2")
    made.changed(view("i2"))
    update = made.update(1)
    assert (update.gone, [call.id for call in update.calls]) == (("i1",), ["i2"])


def test_a_snapshot_has_the_number_of_the_update_before_and_takes_nothing_away() -> None:
    made = Publisher("n")
    made.update(1)
    made.changed(view())
    full = made.snapshot(2, [view()], [], [], [ALERT])
    assert (full.seq, full.full, len(full.calls), len(full.alerts)) == (1, True, 1, 1)
    assert made.update(3).seq == 2
