from sip_bridge.control.reaper import Reaper
from sip_bridge.hooks import Side
from sip_bridge.identity import Direction, Identity
from sip_bridge.legs import LegView, MediaView
from sip_bridge.segment import Description, Segment

LEGS = tuple(LegView(at + 1, side, "PCMU", 8000, False, True) for at, side in enumerate(Side))


def segment(state: str = "talking", since: float = 0.0) -> Segment:
    about = Description("pbx", "station", Direction.INBOUND, Side.CALLEE, Identity((), "", ""))
    return Segment(
        "s", "i", "call", about, ("a", "b"), 0, state=state, state_since_ns=int(since * 1e9), media=MediaView(LEGS)
    )


def test_a_call_is_dead_when_both_sides_have_been_silent_long_enough() -> None:
    reaper = Reaper(300)
    assert not reaper.silent(1, 310, segment(), 1000.0)
    assert not reaper.silent(2, 290, segment(), 1001.0)
    assert not reaper.silent(1, 320, segment(), 1010.0)
    assert reaper.silent(2, 300, segment(), 1011.0)


def test_an_old_report_does_not_count() -> None:
    reaper = Reaper(300)
    reaper.silent(1, 310, segment(), 1000.0)
    assert not reaper.silent(2, 310, segment(), 1016.0)


def test_a_call_on_hold_may_be_silent_and_its_silence_is_not_held_against_it() -> None:
    reaper = Reaper(300)
    for state, since in (("hold", 0.0), ("talking", 900.0)):
        reaper.silent(1, 600, segment(state, since), 1000.0)
        assert not reaper.silent(2, 600, segment(state, since), 1000.0)


def test_closed_legs_are_forgotten() -> None:
    reaper = Reaper(300)
    reaper.silent(1, 310, segment(), 1000.0)
    reaper.forget(1)
    reaper.forget(1)
    assert not reaper.silent(2, 310, segment(), 1001.0)
    assert not Reaper(1).silent(9, 5, Segment("s", "i", "c", segment().about, ("", ""), 0, state="talking"), 10.0)
