"""Dead air is told within 0.1 s of its threshold, and never when anything else explains the silence.

The silence counts from the last confirmed speech, not from when the detector gave up on it. Hold, ringing, music,
network loss, a phone that stopped sending and loss of our own tap are causes of their own and raise no dead air.
"""

from __future__ import annotations

import pytest

from livemon.alerts.thresholds import Thresholds
from sip_bridge.link.wire import TapPacket
from tests.speechlike import network, packets, suppressed, talk
from tests.virtual_call import VirtualCall

AGENT = [(1.0, 4.0), (31.0, 33.0)]
CUSTOMER = [(4.5, 6.0)]
LENGTH = 34.0


def streams() -> tuple[list[TapPacket], list[TapPacket]]:
    return packets(1, talk(LENGTH, AGENT, 1)), packets(2, talk(LENGTH, CUSTOMER, 2))


def test_each_threshold_is_told_within_a_tenth_of_a_second() -> None:
    call = VirtualCall()
    call.play(LENGTH, *streams())
    log = call.alert_log("dead_air")
    assert [(severity, state) for _, severity, state in log] == [
        ("warn", "raised"),
        ("alert", "raised"),
        ("critical", "raised"),
        ("critical", "cleared"),
    ]
    for (at, _, _), threshold in zip(log, (5.0, 10.0, 20.0), strict=False):
        assert 6.0 + threshold <= at <= 6.0 + threshold + 0.1
    assert len({view.id for _, view in call.raised if view.rule == "dead_air"}) == 1
    assert 31.0 <= log[-1][0] <= 31.3


@pytest.mark.parametrize(("loss", "jitter"), [(0.05, 0.0), (0.10, 0.0), (0.05, 40.0)])
def test_random_loss_and_jitter_neither_hide_nor_delay_it(loss: float, jitter: float) -> None:
    call = VirtualCall()
    agent, customer = streams()
    call.play(20, network(agent, 1, loss, jitter), network(customer, 2, loss, jitter))
    assert [(severity, state) for _, severity, state in call.alert_log("dead_air")] == [
        ("warn", "raised"),
        ("alert", "raised"),
    ]
    # The last word may itself be lost: two packets and the jitter.
    assert 10.9 <= call.alert_log("dead_air")[0][0] <= 11.15


@pytest.mark.parametrize("comfort_noise", [True, False])
def test_phones_that_send_nothing_in_silence_are_still_dead_air(comfort_noise: bool) -> None:
    call = VirtualCall()
    spans = [(1.0, 2.0), (2.6, 3.0), (3.6, 5.0)]
    agent = suppressed(packets(1, talk(20, spans, 1)), spans, comfort_noise)
    customer = suppressed(packets(2, talk(20, [(2.0, 2.5), (5.5, 6.0)], 2)), [(2.0, 2.5), (5.5, 6.0)], comfort_noise)
    call.play(13, agent, customer)
    log = call.alert_log("dead_air")
    assert [severity for _, severity, _ in log] == ["warn"]
    assert 11.0 <= log[0][0] <= 11.15


@pytest.mark.parametrize(
    ("first", "last"),
    [(("hold", "agent"), "resume"), (("music", "customer"), "resume"), (("transfer", ""), "transferred")],
)
def test_signalled_causes_raise_none(first: tuple[str, str], last: str) -> None:
    call = VirtualCall()
    call.play(LENGTH, *streams(), signals=[(6.2, first[0], first[1]), (30.5, last, "")])  # type: ignore[list-item]
    assert call.alert_log("dead_air") == []


def test_ringing_raises_none() -> None:
    call = VirtualCall(answered=False)
    call.play(20, packets(1, talk(20, [], 1)), packets(2, talk(20, [], 2)), signals=[(0.0, "ringing", "")])
    assert call.alert_log("dead_air") == []
    assert call.silences()[-1][1] == "ringing"


def test_network_loss_raises_none_and_is_named() -> None:
    call = VirtualCall()
    agent, customer = streams()
    cut = [p for p in agent if not 7.0 <= (p.arrival_us - 1_000_000) / 1e6 < 25.0]
    call.play(29, cut, customer)
    # Up to 7 s and from 25 s on the leg is heard: 1 s and 4 s of silence, no alert; between them nobody can know.
    assert call.alert_log("dead_air") == []
    assert [(round(start), cause) for start, cause in call.silences()[-2:]] == [(7, "no_packets"), (25, "unexplained")]
    late = [p for p in agent if p.arrival_us > 30_000_000]
    call.play(34, late, [p for p in customer if p.arrival_us > 30_000_000])
    silences = [(round(a / 1000), round(b / 1000), c) for a, b, c in call.engine.state(call.call).ledger.silences]
    assert silences[-2:] == [(7, 25, "network"), (25, 31, "unexplained")]


def test_a_phone_that_stops_sending_raises_none() -> None:
    call = VirtualCall()
    agent, customer = streams()
    call.play(29, [p for p in agent if p.arrival_us < 8_000_000], customer)
    assert call.alert_log("dead_air") == []
    assert call.silences()[-1][1] == "no_packets"


def test_loss_of_the_tap_raises_none() -> None:
    call = VirtualCall()
    agent, customer = streams()
    call.play(
        13.5,
        [p for p in agent if not 6.5 <= (p.arrival_us - 1_000_000) / 1e6 < 9.0],
        [p for p in customer if not 6.5 <= (p.arrival_us - 1_000_000) / 1e6 < 9.0],
        lost=[(None, 6.5, 9.0)],
    )
    assert call.alert_log("dead_air") == []
    # 4.5 s of heard silence since the tap came back; at 5 s it is dead air again.
    call.play(14.5, [p for p in agent if p.arrival_us > 14_500_000], [p for p in customer if p.arrival_us > 14_500_000])
    assert [severity for _, severity, _ in call.alert_log("dead_air")] == ["warn"]


def test_a_muted_agent_is_dead_air_for_the_customer() -> None:
    call = VirtualCall()
    call.play(15, *streams(), signals=[(6.1, "muted", "agent")])
    assert [severity for _, severity, _ in call.alert_log("dead_air")] == ["warn"]
    assert call.silences()[-1][1] == "agent_muted"


def test_a_queue_can_set_its_own_thresholds() -> None:
    call = VirtualCall(thresholds=Thresholds(dead_air_warn_ms=2000, dead_air_alert_ms=3000))
    call.play(10, *streams())
    assert [(severity, state) for _, severity, state in call.alert_log("dead_air")] == [
        ("warn", "raised"),
        ("alert", "raised"),
    ]


def test_a_click_does_not_end_it() -> None:
    call = VirtualCall()
    agent, customer = streams()
    click = packets(1, talk(LENGTH, [(1.0, 4.0), (9.0, 9.03)], 1))
    call.play(12, click, customer)
    assert [(severity, state) for _, severity, state in call.alert_log("dead_air")] == [("warn", "raised")]
    assert agent
