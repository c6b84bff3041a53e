import json
import mmap
import os
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sip_bridge import descriptors
from sip_bridge.errors import ConfigError
from sip_bridge.link import wire
from sip_bridge.media import host
from sip_bridge.media.host import Host, PortSockets, SelectorPoller, main, new_poller
from sip_bridge.media.state import SLOT
from tests.keeper_play import SocketPhone, call, running


class Turns:
    """A poller that stops the host after so many turns."""

    def __init__(self, stopped: Host, turns: int) -> None:
        self._host = stopped
        self._poll = stopped._poller.poll
        self._left = turns

    def poll(self, timeout: float, maxevents: int) -> list[tuple[int, int]]:
        self._left -= 1
        self._host.stopping = self._left <= 0
        return self._poll(0.03, maxevents)


class Stage:
    """A host without its process: its loop is run until it would wait."""

    def __init__(self) -> None:
        self.sockets = {sock.getsockname()[1]: sock for sock in descriptors.open_rtp_range("127.0.0.1", 22800, 22803)}
        self.control, theirs = descriptors.channel_pair()
        self.host = Host(theirs, mmap.mmap(-1, 2 * SLOT), self.sockets)
        self._theirs = theirs

    def command(self, **members: Any) -> None:
        self.control.send(json.dumps(members).encode())

    def run(self, turns: int = 5) -> None:
        original = self.host._poller
        self.host._poller = Turns(self.host, turns)  # type: ignore[assignment]  # only `poll` is used
        self.host.stopping = False
        self.host.run()
        self.host._poller = original

    def events(self) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        while select.select([self.control], [], [], 0)[0]:
            data = self.control.recv(65536)
            if data[:1] == b"{":
                out.append(json.loads(data))
            else:
                self.frames.append(data)
        return out

    def close(self) -> None:
        for sock in (*self.sockets.values(), self.control, self._theirs):
            sock.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


def test_commands_packets_and_frames_pass_through_the_loop(stage: Stage) -> None:
    with SocketPhone(22880, 22800) as agent, SocketPhone(22882, 22802) as customer:
        stage.command(cmd="tap", on=True)
        for command in call(22800, (22880, 22882)):
            stage.command(**command)
        stage.control.send(wire.whisper_frame(wire.WhisperChunk(7, 1, 0, b"")))
        stage.run()
        agent.send()
        agent.sock.sendto(b"\x80\xc9\0\1abcd", ("127.0.0.1", 22801))
        stage.run(10)
        assert customer.receive() == 1
        assert customer.got[0][1].payload == agent.sent[0]
        assert stage.events()[0]["ev"] == "hello"
        assert wire.frame_ticks(stage.frames[0]) is not None
        assert stage.host.relay.speech.refused == 1
        assert stage.host.relay.lines[1].reporter.foreign == 1
        stage.command(cmd="close", leg=1)
        stage.run()
        assert sorted(stage.host.relay.lines) == [2]


def test_a_full_channel_drops_frames_and_keeps_events(stage: Stage) -> None:
    while True:
        try:
            stage._theirs.send(bytes(60_000))
        except BlockingIOError:
            break
    stage.host._flush([b"frame"])
    stage.host.relay.hello()
    stage.host._tell()
    assert stage.host.relay.counters["tap_frames_dropped"] == 1
    assert len(stage.host.relay.events) == 1
    while select.select([stage.control], [], [], 0)[0]:
        stage.control.recv(65536)
    stage.host._tell()
    assert [event["ev"] for event in stage.events()] == ["hello"]


def test_without_a_keeper_the_process_ends_with_the_last_call(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic_ns()
    assert not stage.host._orphaned(now)
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert stage.host._orphaned(now)
    stage.command(**call(22800, (22880, 22882))[0])
    stage.host._obey(stage._theirs.fileno(), 0)
    assert not stage.host._orphaned(now)
    assert stage.host._orphaned(now + 2 * host.ORPHAN_NS)
    stage.command(cmd="close", leg=1)
    stage.host._obey(stage._theirs.fileno(), 0)
    stage.host.run()


def test_what_waited_in_an_idle_port_is_not_played_into_the_next_call(stage: Stage) -> None:
    ports = PortSockets(stage.sockets, new_poller())
    with SocketPhone(22884, 22800) as phone:
        descriptors.undeafen(stage.sockets[22800])
        phone.send()
        ports.open(22800, 1)
        assert stage.sockets[22800].recv(2048), "a restored leg keeps what waited for it"
        ports.close(22800)
        ports.restoring = False
        descriptors.undeafen(stage.sockets[22800])
        phone.send()
        ports.open(22800, 2)
        with pytest.raises(BlockingIOError):
            stage.sockets[22800].recv(2048)
    assert ports.open(22900, 3) is None
    ports.close(22900)


def test_a_socket_error_is_passed_over(stage: Stage) -> None:
    for command in call(22800, (22880, 22882)):
        stage.command(**command)
    stage.run()
    ready = [(number, 1) for number in stage.host._ports.legs]

    class Wrong:
        def poll(self, timeout: float, maxevents: int) -> list[tuple[int, int]]:
            stage.host.stopping = True
            return [*ready, (999_999, 1)]

    stage.host._poller = Wrong()  # type: ignore[assignment]  # only `poll` is used
    stage.host.stopping = False
    stage.host.run()
    assert stage.host.relay.lines[1].leg.packets == 0


def test_the_selector_poller_does_what_epoll_does() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        poller = SelectorPoller()
        poller.register(ours.fileno())
        assert poller.poll(0, 10) == []
        theirs.send(b"x")
        assert poller.poll(0, 10) == [(ours.fileno(), 1)]
        poller.unregister(ours.fileno())
        assert poller.poll(0, 10) == []


def test_a_fixed_hash_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    with pytest.raises(ConfigError, match="PYTHONHASHSEED"):
        main([])


def test_long_stats_come_in_parts() -> None:
    event = {"ev": "stats", "counters": {"a": 1}, "legs": {str(n): {"packets_in": n} for n in range(250)}}
    parts = list(host.parts(event))
    assert [len(part["legs"]) for part in parts] == [100, 100, 50]
    assert [part["more"] for part in parts] == [True, True, False]
    assert list(host.parts({"ev": "hello"})) == [{"ev": "hello"}]
    assert list(host.parts({"ev": "stats", "counters": {}, "legs": {}})) == [
        {"ev": "stats", "counters": {}, "legs": {}, "more": False}
    ]


@pytest.mark.slow
def test_the_process_runs_until_it_is_told_to_end(tmp_path: Path) -> None:
    with running(22840, tmp_path, [{"cmd": "stats"}]) as play:
        play.wait(lambda: play.events("ev", "stats"))
        assert play.events("ev", "hello")[0]["legs"] == []


def test_one_message_carries_several_commands(stage: Stage) -> None:
    commands = call(22800, (22880, 22882))
    stage.control.send(b"\n".join(json.dumps(one).encode() for one in commands))
    stage.run()
    assert sorted(stage.host.relay.lines) == [1, 2]
    assert stage.host.relay.counters["commands_refused"] == 0


def test_it_asks_for_real_time_and_lives_without(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(os, "setpriority", lambda *arguments: asked.append(arguments[2]))
    monkeypatch.setattr(os, "sched_setscheduler", lambda *arguments: asked.append(arguments[1]))
    host.come_first()
    assert asked == [host.NICENESS, os.SCHED_RR | os.SCHED_RESET_ON_FORK]

    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", forbidden)
    monkeypatch.setattr(os, "sched_setscheduler", forbidden)
    host.come_first()
