import os
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from sip_bridge.errors import ConfigError
from sip_bridge.keeper import BACKOFF_LONGEST_S, Backoff, KeeperPlan, run
from tests.keeper_play import SocketPhone, call, running


def test_the_first_restart_is_immediate_and_later_ones_wait_longer() -> None:
    backoff = Backoff()
    assert [backoff.died(0.1) for _ in range(8)] == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, BACKOFF_LONGEST_S]


def test_a_child_that_lived_long_is_restarted_at_once() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.died(0.1)
    assert backoff.died(3600) == 0.0
    assert backoff.died(0.1) == 0.1


def test_a_port_that_cannot_be_opened_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="rtp-ports"):
        run(KeeperPlan(sip_udp=(), rtp_first=22101, rtp_last=22110))


@pytest.mark.slow
def test_a_killed_media_process_loses_no_packet(tmp_path: Path) -> None:
    commands = call(22100, (22180, 22182))
    with SocketPhone(22180, 22100) as a, SocketPhone(22182, 22102) as b, running(22100, tmp_path, commands) as play:
        phones = a, b
        play.wait(lambda: len(play.events("ev", "hello")) == 1)
        killed = play.child("media.host")
        for index in range(200):
            if index == 60:
                os.kill(killed, signal.SIGKILL)
            for phone in phones:
                phone.send()
                phone.receive()
            time.sleep(0.01)
        play.wait(lambda: [phone.receive() for phone in phones] == [200, 200], 5)
        assert len(play.events("ev", "hello")) == 2
        assert play.events("ev", "hello")[1]["legs"] == [1, 2]
        assert play.child("media.host") not in (0, killed)
    for sender, hearer in (phones, phones[::-1]):
        packets = [packet for _, packet in hearer.got]
        assert [packet.payload for packet in packets] == sender.sent
        assert len({packet.ssrc for packet in packets}) == 1
        first = packets[0]
        assert [(p.seq - first.seq) & 0xFFFF for p in packets] == list(range(200))
        assert [(p.timestamp - first.timestamp) & 0xFFFFFFFF for p in packets] == list(range(0, 200 * 160, 160))
        times = [at for at, _ in hearer.got]
        gap = max(late - early for early, late in pairwise(times))
        sys.stdout.write(f"longest gap {gap * 1000:.0f} ms\n")
        assert gap < 1.0


@pytest.mark.slow
def test_a_killed_control_process_is_restarted_with_its_journal_and_media_goes_on(tmp_path: Path) -> None:
    with running(22200, tmp_path, call(22200, (22280, 22282))) as play:
        play.wait(lambda: play.events("pid"))
        media, control = play.child("media.host"), play.child("fake_control")
        os.kill(control, signal.SIGKILL)
        play.wait(lambda: len(play.events("pid")) == 2)
        assert [event["restarted"] for event in play.events("pid")] == [False, True]
        assert play.events("pid")[1]["udp"] == [["127.0.0.1", 22290]]
        assert play.events("pid")[1]["rtp"] == "22200-22239"
        assert play.child("media.host") == media


@pytest.mark.slow
def test_sigterm_drains_control_first_and_ends_with_zero(tmp_path: Path) -> None:
    with running(22300, tmp_path, []) as play:
        play.wait(lambda: play.events("pid"))
        play.keeper.send_signal(signal.SIGTERM)
        assert play.keeper.wait(10) == 0


@pytest.mark.slow
def test_sigint_ends_at_once(tmp_path: Path) -> None:
    with running(22400, tmp_path, []) as play:
        play.wait(lambda: play.events("pid"))
        play.keeper.send_signal(signal.SIGINT)
        assert play.keeper.wait(10) == 130


@pytest.mark.slow
def test_a_control_that_crashes_while_draining_is_started_again_to_finish(tmp_path: Path) -> None:
    with running(22500, tmp_path, [], "--code", "3") as play:
        play.wait(lambda: play.events("pid"))
        play.keeper.send_signal(signal.SIGTERM)
        play.wait(lambda: len(play.events("pid")) >= 2)
        assert play.keeper.poll() is None
        play.wait(lambda: len(play.events("pid")) >= 3, 15)
        assert play.keeper.poll() is None, "told to drain again, it crashed again"


@pytest.mark.slow
def test_a_signal_to_every_process_at_once_is_an_end_and_no_crash(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with running(22600, tmp_path, []) as play:
        play.wait(lambda: play.events("pid"))
        # Control hears of it first and is gone before the keeper has looked.
        os.kill(play.events("pid")[0]["pid"], signal.SIGTERM)
        time.sleep(0.2)
        play.keeper.send_signal(signal.SIGTERM)
        assert play.keeper.wait(10) == 0
        assert len(play.events("pid")) == 1
    assert "died" not in capfd.readouterr().err


@pytest.mark.slow
def test_a_control_that_was_ended_alone_is_started_again_and_drains_later(tmp_path: Path) -> None:
    with running(22700, tmp_path, []) as play:
        play.wait(lambda: play.events("pid"))
        os.kill(play.events("pid")[0]["pid"], signal.SIGTERM)
        play.wait(lambda: len(play.events("pid")) == 2)
        assert play.keeper.poll() is None
        play.keeper.send_signal(signal.SIGTERM)
        assert play.keeper.wait(10) == 0


@pytest.mark.slow
def test_more_ports_than_select_can_name_are_kept(tmp_path: Path) -> None:
    """A thousand RTP ports and more: the keeper's own descriptors then lie above 1023."""
    with running(16000, tmp_path, [], ports=1100) as play:
        play.wait(lambda: len(play.events("ev", "hello")) == 1)
        killed = play.child("media.host")
        os.kill(killed, signal.SIGKILL)
        play.wait(lambda: len(play.events("ev", "hello")) == 2)
        assert play.child("media.host") not in (0, killed)
