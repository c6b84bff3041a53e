from sip_bridge.media import rtcp
from sip_bridge.media.reports import INTERVAL_NS
from tests.relay_play import AGENT, AGENT_PORT, CUSTOMER, MS, PHONES, STRANGER, Play, Sent

AGENT_RTCP = ("10.0.0.1", 4001)


def reports(sent: list[Sent], port: int = AGENT_PORT + 1) -> list[rtcp.Report]:
    parsed = [rtcp.parse(one.data) for one in sent if one.port == port and 192 <= one.data[1] <= 223]
    assert all(isinstance(report, rtcp.Report) for report in parsed)
    return [report for report in parsed if isinstance(report, rtcp.Report)]


def talk(play: Play, seconds: float, skip: int = 0) -> list[Sent]:
    sent: list[Sent] = []
    for _ in range(int(seconds * 50)):
        play.feed(AGENT, play.agent.packet(skip=skip))
        play.feed(CUSTOMER, play.customer.packet())
        sent += play.wait(20)
    return sent


def take(play: Play, data: bytes, source: tuple[object, ...] = AGENT_RTCP) -> None:
    play.relay.report(play.relay.lines[AGENT], data, source, play.now)


def test_a_silent_leg_is_sent_no_report() -> None:
    play = Play()
    assert reports(play.wait(20_000)) == []


def test_both_phones_get_our_own_reports_about_every_5_s() -> None:
    play = Play()
    sent = talk(play, 40)
    for port in (AGENT_PORT + 1, AGENT_PORT + 3):
        assert 5 <= len(reports(sent, port)) <= 14
    first = reports(sent)[0]
    out = play.relay.lines[AGENT].out
    assert first.ssrc == out.ssrc == play.ear(AGENT)[0].rtp.ssrc
    assert first.sender is not None
    assert first.sender.packets > 0
    [block] = first.blocks
    assert (block.ssrc, block.lost, block.fraction) == (play.agent.ssrc, 0, 0)
    addresses = {one.address for one in sent if one.port == AGENT_PORT + 1}
    assert addresses == {AGENT_RTCP}


def test_loss_is_reported_back_to_the_sender() -> None:
    play = Play()
    sent = talk(play, 10, skip=1)
    block = reports(sent)[-1].blocks[0]
    assert 126 <= block.fraction <= 129
    assert block.lost > 100


def test_a_phone_that_is_sent_nothing_gets_a_receiver_report() -> None:
    play = Play()
    play.set(AGENT, send=False)
    assert {report.sender for report in reports(talk(play, 10))} == {None}


def test_rtcp_goes_out_on_the_rtp_port_when_the_phone_muxes() -> None:
    play = Play()
    play.set(AGENT, rtcp=list(PHONES[AGENT]))
    assert reports(talk(play, 10), AGENT_PORT)


def test_the_phones_report_is_read_and_not_sent_on() -> None:
    play = Play()
    talk(play, 1)
    out = play.relay.lines[AGENT].out
    ntp = rtcp.ntp_time(play.now)
    block = rtcp.Block(out.ssrc, 25, 12, 1, 33, (ntp >> 16) - 6554 & 0xFFFFFFFF, 3277)
    other = block._replace(ssrc=1, jitter=99)
    before = len(play.wire.sent)
    take(play, rtcp.build(rtcp.Report(5, rtcp.Sender(ntp, 1, 1, 1), (block, other), False), b"p"))
    assert len(play.wire.sent) == before
    figures = play.relay.lines[AGENT].reporter.figures()
    assert (figures["remote_fraction_lost"], figures["remote_lost"], figures["remote_jitter"]) == (25, 12, 33)
    assert 49_000 < figures["round_trip_us"] < 51_000
    after = reports(talk(play, 8))[0].blocks[0]
    assert after.lsr == ntp >> 16 & 0xFFFFFFFF
    assert 0 < after.dlsr < 8 * 65536


def test_a_round_trip_needs_our_report_to_have_been_seen() -> None:
    play = Play()
    out = play.relay.lines[AGENT].out
    block = rtcp.Block(out.ssrc, 0, 0, 0, 0, 0, 0)
    take(play, rtcp.build(rtcp.Report(5, None, (block,), False), b"p"))
    assert play.relay.lines[AGENT].reporter.round_trip_us == 0
    take(
        play,
        rtcp.build(
            rtcp.Report(5, None, (block._replace(lsr=(rtcp.ntp_time(play.now) >> 16) + 9 & 0xFFFFFFFF),), False), b"p"
        ),
    )
    assert play.relay.lines[AGENT].reporter.round_trip_us == 0


def test_strangers_and_junk_are_counted() -> None:
    play = Play()
    report = rtcp.build(rtcp.Report(5, None, (), False), b"p")
    take(play, report, STRANGER)
    take(play, b"\x80")
    reporter = play.relay.lines[AGENT].reporter
    assert (reporter.foreign, reporter.malformed, reporter.taken) == (1, 1, 0)


def test_a_closing_leg_says_goodbye_if_it_ever_reported() -> None:
    play = Play()
    talk(play, 10)
    before = len(play.wire.sent)
    play.do("close", leg=AGENT)
    assert [report.goodbye for report in reports(play.wire.sent[before:])] == [True]
    quiet = Play()
    quiet.do("close", leg=AGENT)
    assert quiet.wire.sent == []


def test_a_network_that_is_gone_is_counted() -> None:
    play = Play()
    talk(play, 1)
    play.wire.broken = True
    play.now += 2 * INTERVAL_NS
    play.wait(1000)
    line = play.relay.lines[AGENT]
    assert (line.out.failed, line.reporter.sent) == (1, 0)


def test_rtcp_on_the_rtp_port_is_read() -> None:
    play = Play()
    play.set(AGENT, rtcp=list(PHONES[AGENT]))
    play.feed(AGENT, rtcp.build(rtcp.Report(5, None, (), False), b"p"))
    assert play.relay.lines[AGENT].reporter.taken == 1
    assert play.ear(CUSTOMER) == []
    assert play.now % MS == 0


def test_a_phone_that_never_sent_is_told_of_nothing_received() -> None:
    play = Play()
    sent: list[Sent] = []
    for _ in range(500):
        play.feed(CUSTOMER, play.customer.packet())
        sent += play.wait(20)
    first = reports(sent)[0]
    assert first.sender is not None
    assert first.blocks == ()
