"""Talk-over is measured to 60 ms, belongs to who started second, and a long one is told while it lasts."""

from __future__ import annotations

from livemon.bus.messages import Spurt
from tests.speechlike import network, packets, talk
from tests.virtual_call import VirtualCall, near


def test_overlaps_and_who_owns_them() -> None:
    agent = [(1.0, 3.0), (6.0, 9.0), (12.0, 14.0)]
    customer = [(2.0, 4.0), (7.0, 7.4), (13.0, 13.3)]
    call = VirtualCall()
    call.play(16, packets(1, talk(16, agent, 1)), packets(2, talk(16, customer, 2)))
    ledger = call.engine.state(call.call).ledger
    overlaps = [(a / 1000, b / 1000) for a, b, _ in ledger.overlaps]
    assert near(overlaps, [(2.0, 3.0), (7.0, 7.4), (13.0, 13.3)], 0.06)
    assert ledger.interruptions == {"customer": 1}
    assert ledger.backchannels == {"customer": 2}
    assert abs(ledger.overlap_ms - 1700) <= 120


def test_a_long_one_is_told_while_it_lasts_and_cleared_after() -> None:
    call = VirtualCall()
    call.play(14, packets(1, talk(14, [(1.0, 8.0)], 1)), packets(2, talk(14, [(2.0, 7.0)], 2)))
    log = call.alert_log("talk_over")
    assert [(severity, state) for _, severity, state in log] == [("alert", "raised"), ("alert", "cleared")]
    # 3 s of overlap, 0.08 s that the reader waits, 0.02 s step.
    assert 5.0 <= log[0][0] <= 5.15
    assert 9.0 <= log[1][0] <= 9.6


def test_three_interruptions_in_a_minute_are_told_and_forgotten_after_it() -> None:
    agent = [(t, t + 4.0) for t in (1.0, 8.0, 15.0)]
    customer = [(t + 2.0, t + 3.5) for t in (1.0, 8.0, 15.0)]
    call = VirtualCall()
    call.play(70, packets(1, talk(70, agent, 1)), packets(2, talk(70, customer, 2)))
    log = call.alert_log("interruptions")
    assert [(severity, state) for _, severity, state in log] == [("alert", "raised"), ("alert", "cleared")]
    assert 18.5 <= log[0][0] <= 19.2
    assert 63.0 <= log[1][0] <= 63.5


def test_loss_and_reordering_move_the_edges_by_little() -> None:
    call = VirtualCall()
    agent, customer = [(1.0, 5.0)], [(3.0, 6.0)]
    call.play(
        8,
        network(packets(1, talk(8, agent, 1)), 3, loss=0.05, jitter_ms=20, reorder=0.2),
        network(packets(2, talk(8, customer, 2)), 4, loss=0.05, jitter_ms=20, reorder=0.2),
    )
    assert near(call.spurts("agent"), agent, 0.1)
    assert near(call.spurts("customer"), customer, 0.1)


def test_speaking_is_shown_while_it_goes_on() -> None:
    call = VirtualCall()
    call.play(2.5, packets(1, talk(8, [(1.0, 5.0)], 1)), packets(2, talk(8, [(2.0, 6.0)], 2)))
    assert call.engine.figures(call.call).speaking == 3
    assert [s for s in call.engine.spurts_since(call.call, 0) if s.open] == [
        Spurt(call.call, "agent", 1000, 2440, True),
        Spurt(call.call, "customer", 2000, 2440, True),
    ]
