from __future__ import annotations

from livemon.bus.messages import PartyName
from livemon.talk.ledger import Ledger
from livemon.talk.report import figures_of, reply_times, talk_shares
from livemon.talk.timeline import Timeline


def test_running_things_are_counted_on() -> None:
    line = Timeline("c")
    line.lane(1, "agent", 0)
    line.lane(2, "customer", 0)
    line.answer(0)
    line.opened(1, 1000)
    line.grown(1, 2000, 2000)
    line.closed(1, 2000)
    line.hold(10_000)
    for leg in (1, 2):
        line.grown(leg, 0, 15_100)
    line.settle(15_100)
    sound: dict[PartyName, tuple[float, int, bool]] = {"agent": (-31.26, 4, True), "machine": (-20.0, 0, True)}
    figures = figures_of(line, 15_100, sound)
    assert (figures.silence_ms, figures.silence_cause, figures.hold_ms) == (5100, "hold", 5100)
    assert (figures.silence_total_ms, figures.longest_silence_ms, figures.dead_air_events) == (9000, 8000, 1)
    assert (figures.agent_dbfs, figures.customer_dbfs, figures.agent_loss_permille) == (-31.3, -96.0, 4)
    assert figures.speaking == 1


def test_a_running_talk_over_and_past_holds() -> None:
    line = Timeline("c")
    line.lane(1, "agent", 0)
    line.lane(2, "customer", 0)
    line.answer(0)
    line.hold(100)
    line.resume(300)
    for leg, start in ((1, 1000), (2, 1500)):
        line.opened(leg, start)
        line.grown(leg, 2500, 2500)
    figures = figures_of(line, 2600, {})
    assert (figures.talkover_ms, figures.silence_ms, figures.silence_cause, figures.hold_ms) == (1000, 0, "", 200)


def test_shares_have_two_denominators() -> None:
    ledger = Ledger(since_ms=1000, until_ms=11_000, agent_ms=6000, customer_ms=2000)
    shares = talk_shares(ledger)
    assert shares["agent"] == {"of_speech": 75.0, "of_call": 60.0}
    assert shares["customer"] == {"of_speech": 25.0, "of_call": 20.0}
    assert talk_shares(Ledger())["agent"] == {"of_speech": 0.0, "of_call": 0.0}


def test_reply_times_are_ranked() -> None:
    ledger = Ledger(latencies={"agent": [900, 0, 300, 500, 2000], "customer": [70]})
    assert reply_times(ledger) == {
        "agent": {"count": 5, "median_ms": 500, "p90_ms": 2000},
        "customer": {"count": 1, "median_ms": 70, "p90_ms": 70},
    }
