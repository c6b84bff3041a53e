from sip_bridge.b2bua.call import Call
from sip_bridge.b2bua.table import LINGER, CallTable
from sip_bridge.hooks import Route
from tests.sip_stage import Stage


def test_dialogs_of_an_ended_call_linger_for_a_crossing_bye() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.caller.send(stage.ask("BYE", 2, to_tag=tag))
    assert not stage.b2bua.calls
    assert stage.b2bua.dialogs == 2
    stage.callee.send(stage.back("BYE", 5))
    assert stage.callee.statuses("BYE") == [200]
    stage.advance(LINGER + 0.1)
    assert stage.b2bua.dialogs == 0
    assert stage.b2bua.idle
    stage.callee.send(stage.back("BYE", 6))
    assert stage.callee.statuses("BYE") == [200, 481]


def test_a_foreign_replaces_stays_as_it_is() -> None:
    stage = Stage()
    stage.invite("Replaces: other@x;to-tag=1;from-tag=2")
    assert stage.callee.request("INVITE").get("replaces") == "other@x;to-tag=1;from-tag=2"
    assert stage.observer.names == ["CallStarted"]


def test_early_only_survives_translation() -> None:
    stage = Stage()
    tag = stage.talk()
    stage.invite(f"Replaces: c1;to-tag={tag};from-tag=at;early-only", call_id="c2")
    first, second = stage.callee.requests("INVITE")
    assert second.get("replaces") == f"{first.call_id};to-tag=bt;from-tag={first.from_tag};early-only"


def test_a_call_is_kept_once_it_is_confirmed_and_not_while_it_rings() -> None:
    stage = Stage()
    kept: list[str] = []
    table = CallTable(stage.layer, stage.media, stage.observer, lambda key, dump, now: kept.append(key))
    table.note(Call("k", Route(stage.callee.hop, "sip:x", "in", "out"), stage.callee.hop), stage.now)
    assert kept == []
    stage.ring()
    assert stage.journal == {}
    stage.callee.answer(stage.callee.request("INVITE"), 200, tag="bt")
    assert list(stage.journal) == [stage.key]
