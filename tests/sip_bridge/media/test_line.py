from sip_bridge.link import wire
from sip_bridge.media.line import TOTALS
from tests.relay_play import AGENT, CUSTOMER, Play


def test_a_row_says_what_happened_since_the_one_before() -> None:
    play = Play()
    line = play.relay.lines[AGENT]
    assert line.row() == wire.TapRow(AGENT, 0, 0, 0, 0, -9600, 0)
    play.feed(AGENT, play.agent.packet())
    play.feed(AGENT, play.agent.packet(skip=2))
    assert line.row() == wire.TapRow(AGENT, 2, 2, 0, line.leg.jitter_tenth_ms, -9600, wire.ROW_PRESENT)
    play.set(AGENT, held=True)
    assert line.row().flags == wire.ROW_HELD


def test_the_whispered_level_is_that_of_what_the_leg_was_sent() -> None:
    play = Play()
    line = play.relay.lines[AGENT]
    play.grant(1)
    play.whisper(b"\x00\x20" * 160)
    assert line.row().flags == 0, "nothing has been mixed yet"
    play.feed(CUSTOMER, play.customer.packet())
    row = line.row()
    assert row.flags == wire.ROW_WHISPERED
    assert row.whispered_samples == 160
    assert -1230 < row.whisper_cdbfs < -1180
    assert line.row().whisper_cdbfs == wire.SILENT_CDBFS


def test_jitter_is_held_within_its_field() -> None:
    play = Play()
    line = play.relay.lines[AGENT]
    line.leg.jitter = 1 << 40
    assert line.row().jitter_tenth_ms == 0xFFFF


def test_figures_hold_the_totals_and_the_reports() -> None:
    figures = Play().relay.lines[AGENT].figures()
    assert set(TOTALS) < set(figures)
    assert "round_trip_us" in figures
