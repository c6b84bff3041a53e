"""The media process: one loop around the relay, nothing else in it.

Started by the keeper as `python -m sip_bridge.media.host --control-fd N --state-fd N --sockets-fd N`. It imports little
and reads its arguments by hand, because every millisecond of its start is a gap in running calls after a crash.
"""

from __future__ import annotations

import contextlib
import gc
import json
import mmap
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from sip_bridge.descriptors import deafen, drain, receive_sockets, undeafen
from sip_bridge.errors import ConfigError

from .outbound import Send
from .relay import Event, Relay
from .state import SLOT, StateFile

BATCH: Final = 256
"""Sockets served per turn: at 10 us a packet, the clock is looked at every 3 ms at the latest."""
MESSAGES: Final = 64
"""Messages of control taken per turn, so that a flood of them cannot hold up packets."""
NICENESS: Final = -15
"""Where we may: with a busy process on the same core it turns a p99 of 2.2 ms into 0.06 ms."""
COLLECT_AFTER: Final = 50_000
"""Objects between garbage collections: the packet path makes no cycles."""
REALTIME: Final = 1
"""The lowest real-time priority: before everything of the usual class, after everything the system itself needs."""
LARGEST_MESSAGE: Final = 65536
LEGS_A_PART: Final = 100
"""Legs of one `stats` message: some 60 KiB, less than what a Unix socket takes at once."""
PARENT_NS: Final = 1_000_000_000
ORPHAN_NS: Final = 10_000_000_000
"""Without a keeper, the process lives until no leg has sent anything for 10 s: calls outlive the bridge's parent."""
LEAK_SWITCH: Final = "LIVEMON_TEST_LEAK_WHISPER"
"""For tests of the run-time proof alone: leaks a whispered frame towards the customer, which must trip it."""


def parts(event: Event) -> Iterator[Event]:
    """Yield an event in messages the channel can carry: `stats` in parts of some legs, all but the last with `more`."""
    if event["ev"] != "stats":
        yield event
        return
    legs = list(event["legs"].items())
    for at in range(0, max(1, len(legs)), LEGS_A_PART):
        more = at + LEGS_A_PART < len(legs)
        yield {**event, "legs": dict(legs[at : at + LEGS_A_PART]), "more": more}


class Poller(Protocol):
    """What epoll offers, as far as it is used."""

    def register(self, fd: int, eventmask: int = 1) -> None:
        """Watch a descriptor for reading."""

    def unregister(self, fd: int) -> None:
        """Watch it no more."""

    def poll(self, timeout: float, maxevents: int) -> list[tuple[int, int]]:
        """Return the descriptors that can be read."""


class SelectorPoller:
    """A poller for systems without epoll."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, fd: int, eventmask: int = selectors.EVENT_READ) -> None:
        """Watch a descriptor for reading."""
        self._selector.register(fd, eventmask)

    def unregister(self, fd: int) -> None:
        """Watch it no more."""
        self._selector.unregister(fd)

    def poll(self, timeout: float, maxevents: int) -> list[tuple[int, int]]:
        """Return the descriptors that can be read, at most `maxevents`."""
        return [(key.fd, mask) for key, mask in self._selector.select(timeout)][:maxevents]


def new_poller() -> Poller:
    """Return the best poller the system has."""
    import select

    poller: Poller = select.epoll() if hasattr(select, "epoll") else SelectorPoller()
    return poller


class PortSockets:
    """The sockets of the RTP range; those no leg uses are deaf."""

    def __init__(self, sockets: dict[int, socket.socket], poller: Poller) -> None:
        self._sockets = sockets
        self._poller = poller
        self.legs: dict[int, tuple[Callable[..., tuple[int, tuple[object, ...]]], int, bool]] = {}
        """By descriptor: what receives, the leg, whether it carries RTP."""
        self.restoring = True
        """While legs of an earlier life are opened, what waits in their sockets is theirs."""

    def open(self, port: int, leg: int) -> tuple[Send, Send] | None:
        """Let a pair of ports be heard."""
        pair = self._pair(port)
        if pair is None:
            return None
        for sock in pair:
            if not self.restoring:
                drain(sock)  # it was deaf since the keeper opened it or the last call left it; to be sure
            undeafen(sock)
            self._poller.register(sock.fileno(), 1)
            self.legs[sock.fileno()] = (sock.recvfrom_into, leg, sock is pair[0])
        return pair[0].sendto, pair[1].sendto

    def close(self, port: int) -> None:
        """Let a pair of ports be deaf again."""
        for sock in self._pair(port) or ():
            self._poller.unregister(sock.fileno())
            del self.legs[sock.fileno()]
            deafen(sock)

    def _pair(self, port: int) -> tuple[socket.socket, socket.socket] | None:
        rtp, rtcp = self._sockets.get(port), self._sockets.get(port + 1)
        return None if rtp is None or rtcp is None else (rtp, rtcp)


class Host:
    """The loop."""

    def __init__(self, control: socket.socket, state: mmap.mmap, sockets: dict[int, socket.socket]) -> None:
        self._control = control
        self._poller = new_poller()
        self._ports = PortSockets(sockets, self._poller)
        self._poller.register(control.fileno(), 1)
        self.frames_dropped = 0
        self.stopping = False
        self._parent = os.getppid()
        self._parent_ns = 0
        self.relay = Relay(
            int.from_bytes(os.urandom(4)) | 1,
            self._ports,
            os.urandom,
            utc_offset_ns=time.time_ns() - time.monotonic_ns(),
            state=StateFile(state),
            first_port=min(sockets, default=0),
            leak_whisper=os.environ.get(LEAK_SWITCH) == "1",
        )

    def run(self) -> None:
        """Relay until told to stop."""
        clock = time.monotonic_ns
        relay, poll = self.relay, self._poller.poll
        relay.restore(clock())
        self._ports.restoring = False
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER)
        self._tell()
        legs, lines, buffer, packet = self._ports.legs, relay.lines, relay.buffer, relay.packet
        due = now = clock()
        while not self.stopping:
            for number, _ in poll((due - now) / 1e9 if due > now else 0, BATCH):
                try:
                    receive, leg, is_rtp = legs[number]
                    size, source = receive(buffer)
                except KeyError:
                    due = self._obey(number, due)
                    continue
                except OSError:
                    continue  # nothing waits after all, or an ICMP error of an earlier send
                now = clock()
                if is_rtp:
                    packet(lines[leg], size, source, now)
                else:
                    relay.report(lines[leg], bytes(buffer[:size]), source, now)
            now = clock()
            if now >= due:
                self._flush(relay.tick(now))
                due = now + relay.period()
                if now - self._parent_ns > PARENT_NS:
                    self._parent_ns = now
                    if self._orphaned(now):
                        return
            if relay.events:
                self._tell()

    def _obey(self, number: int, due: int) -> int:
        """Take what control says, if it is control that can be read; return when the next tick is due."""
        for _ in range(MESSAGES if number == self._control.fileno() else 0):
            try:
                data = self._control.recv(LARGEST_MESSAGE)
            except OSError:
                break
            if not data:
                break
            now = time.monotonic_ns()
            if data[:1] == b"{":
                for line in data.split(b"\n"):
                    self.relay.command(line, now)
            else:
                self.relay.whisper(data, now)
        return min(due, time.monotonic_ns() + self.relay.period())

    def _flush(self, frames: list[bytes]) -> None:
        for frame in frames:
            try:
                self._control.send(frame)
            except OSError:
                self.frames_dropped += 1
                self.relay.counters["tap_frames_dropped"] = self.frames_dropped

    def _tell(self) -> None:
        events = self.relay.events
        while events:
            try:
                for part in parts(events[0]):
                    self._control.send(json.dumps(part, separators=(",", ":")).encode())
            except OSError:
                return  # control is away: the events wait for it
            events.popleft()

    def _orphaned(self, now: int) -> bool:
        """Tell whether the keeper is gone and no call needs us any more."""
        if os.getppid() == self._parent:
            return False
        return all(now - line.leg.last_ns > ORPHAN_NS for line in self.relay.lines.values())


def come_first() -> None:
    """Ask for the processor the moment a packet comes, as far as we may: real-time scheduling, else niceness.

    A process of the usual class that wakes waits up to 3 ms for the one that runs, whatever its niceness (Linux 6.6 and
    later). Linux itself leaves 5 % of a core to the others (sched_rt_runtime_us), and we sleep most of the time.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    with contextlib.suppress(AttributeError, OSError):  # macOS has no such call
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(REALTIME))


def main(argv: list[str]) -> int:
    """Run the media process with the descriptors named in `argv`; return the exit code.

    Raises:
        ConfigError: PYTHONHASHSEED fixes the key of the run-time proof.
    """
    if os.environ.get("PYTHONHASHSEED", "random") not in ("", "random"):
        raise ConfigError("PYTHONHASHSEED: unset it; the run-time proof needs a key nobody knows")
    arguments = dict(zip(argv[::2], argv[1::2], strict=True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    come_first()
    channel = socket.socket(fileno=int(arguments["--sockets-fd"]))
    with channel:
        sockets = receive_sockets(channel)
    state_fd = int(arguments["--state-fd"])
    size = max(1, len(sockets) // 2) * SLOT
    if os.fstat(state_fd).st_size < size:
        os.ftruncate(state_fd, size)
    control = socket.socket(fileno=int(arguments["--control-fd"]))
    control.setblocking(False)
    host = Host(control, mmap.mmap(state_fd, size), sockets)

    def stop(*_: object) -> None:
        host.stopping = True

    signal.signal(signal.SIGTERM, stop)
    host.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
