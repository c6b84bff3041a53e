"""The keeper: owns the sockets, starts media and control, starts them again when they die.

It reads no traffic, so there is little in it that could fail. Both ends of the channel between its children and both
memory files stay open here: a child's death is no end of file to the other, and loses no packet.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .descriptors import channel_pair, memory_file, open_rtp_range, open_tcp, open_udp, send_sockets

log = logging.getLogger(__name__)

BACKOFF_FIRST_S = 0.1
"""Pause before the second start in a row; the first is immediate, since callers are waiting."""
BACKOFF_LONGEST_S = 5.0
"""Longest pause between starts of a child that keeps dying."""
STEADY_S = 10.0
"""A child that lived this long is thought sound: its next death is a first one again."""
RETELL_S = 3.0
"""A control that crashed while draining is told again after this long: by then it has started and listens."""
ORDERLY_S = 0.5
"""Pause before a control that ended orderly is started again: it ends so when it was told to, and whoever tells every
process of the bridge tells the keeper too, whose own signal is then only milliseconds behind."""
END_GRACE_S = 2.0
"""How long a child may take to end before it is killed."""


@dataclass(frozen=True, slots=True)
class KeeperPlan:
    """What to open and what to start; addresses are (host, port)."""

    sip_udp: tuple[tuple[str, int], ...]
    sip_tcp: tuple[tuple[str, int], ...] = ()
    rtp_host: str = "0.0.0.0"
    rtp_first: int = 20000
    rtp_last: int = 20999
    control_args: tuple[str, ...] = ()
    """Handed on to the control process as they are."""
    control_module: str = "sip_bridge.control"
    media_module: str = "sip_bridge.media.host"
    drain_s: float = 3600.0
    """How long SIGTERM waits for running calls to end."""


class Backoff:
    """How long to wait before a dead child is started again."""

    def __init__(self) -> None:
        self._next = 0.0

    def died(self, lived_s: float) -> float:
        """Return the pause in seconds after a life of `lived_s` seconds."""
        pause = 0.0 if lived_s >= STEADY_S else self._next
        self._next = min(max(2 * pause, BACKOFF_FIRST_S), BACKOFF_LONGEST_S)
        return pause


class Child:
    """One child process and when it is due to be started."""

    def __init__(self, name: str, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self.name = name
        self._start = start
        self._backoff = Backoff()
        self.process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self.due: float | None = 0.0
        """When to start it; None while it runs or must not be started."""
        self.ended = False
        """Whether it has ended orderly and has not been started again."""

    def step(self, now: float) -> int | None:
        """Start the child when it is due; return the exit code if it has just died."""
        if self.due is not None and now >= self.due:
            self.due, self.ended = None, False
            self._started = now
            self.process = self._start()
        code = self.process.poll() if self.process is not None else None
        if code is None:
            return None
        self.process, self.ended = None, code == 0
        self.due = now + max(self._backoff.died(now - self._started), 0.0 if code else ORDERLY_S)
        if code:
            log.error("%s died with %d, starting it again in %.1f s", self.name, code, self.due - now)
        else:
            log.info("%s has ended", self.name)
        return code

    def signal(self, number: int) -> None:
        """Send the child a signal if it runs."""
        if self.process is not None:
            self.process.send_signal(number)

    def end(self, number: int) -> None:
        """Ask the child to end with signal `number`; kill it after the grace."""
        self.due = None
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(END_GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Keeper:
    """The open sockets and the two children."""

    def __init__(self, plan: KeeperPlan) -> None:
        self._plan = plan
        self._udp = [open_udp(*address) for address in plan.sip_udp]
        self._tcp = [open_tcp(*address) for address in plan.sip_tcp]
        self._rtp = open_rtp_range(plan.rtp_host, plan.rtp_first, plan.rtp_last)
        self._state = memory_file("livemon-media-state")
        self._journal = memory_file("livemon-control-journal")
        self._control_end, self._media_end = channel_pair()
        self.media = Child("media", self._start_media)
        self.control = Child("control", self._start_control)
        self._retell: float | None = None
        """When to tell a control that was started again while draining that it is to drain."""

    def run(self) -> int:
        """Keep both children running until a signal ends the bridge; return the exit code."""
        reading, writing = socket.socketpair()
        reading.setblocking(False)
        writing.setblocking(False)
        signal.set_wakeup_fd(writing.fileno())
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        waker = select.poll()  # select() refuses descriptors from 1024 on, and every RTP port is one
        waker.register(reading, select.POLLIN)
        deadline: float | None = None
        while True:
            now = time.monotonic()
            self.media.step(now)
            code = self.control.step(now)
            if deadline is not None and (self.control.ended or now >= deadline):
                break
            waker.poll(self._wait(now, deadline))
            numbers = _read(reading)
            if signal.SIGINT in numbers:
                self.control.end(signal.SIGINT)
                self.media.end(signal.SIGTERM)
                return 130
            if signal.SIGTERM in numbers:
                deadline = deadline or time.monotonic() + self._plan.drain_s
                self.control.signal(signal.SIGTERM)
            elif deadline is not None and code is not None:
                self._retell = time.monotonic() + RETELL_S
            elif self._retell is not None and time.monotonic() >= self._retell:
                self._retell = None
                self.control.signal(signal.SIGTERM)
        self.control.end(signal.SIGTERM)
        self.media.end(signal.SIGTERM)
        return 0

    def _wait(self, now: float, deadline: float | None) -> float | None:
        """Return how long nothing is due, in ms."""
        times = [due for due in (self.media.due, self.control.due, deadline, self._retell) if due is not None]
        return max(0.0, min(times) - now) * 1000 if times else None

    def _start_media(self) -> subprocess.Popen[bytes]:
        ours, theirs = channel_pair()
        with ours, theirs:
            numbers = {"control": self._media_end.fileno(), "state": self._state, "sockets": theirs.fileno()}
            arguments = [text for name, number in numbers.items() for text in (f"--{name}-fd", str(number))]
            process = _spawn(self._plan.media_module, arguments, tuple(numbers.values()))
            send_sockets(ours, self._rtp)
        return process

    def _start_control(self) -> subprocess.Popen[bytes]:
        plan = self._plan
        udp = [sock.fileno() for sock in self._udp]
        tcp = [sock.fileno() for sock in self._tcp]
        arguments = ["--sip-udp-fds", ",".join(map(str, udp)), "--sip-tcp-fds", ",".join(map(str, tcp))]
        arguments += ["--media-fd", str(self._control_end.fileno()), "--journal-fd", str(self._journal)]
        arguments += ["--rtp-ports", f"{plan.rtp_first}-{plan.rtp_last}", *plan.control_args]
        return _spawn(plan.control_module, arguments, (*udp, *tcp, self._control_end.fileno(), self._journal))


def run(plan: KeeperPlan) -> int:
    """Open everything in `plan`, run both children, and return the exit code once the bridge has ended.

    SIGTERM goes to control, which drains; when it has ended, or after `drain_s`, media ends too. SIGINT ends both at
    once. Must be called in the main thread.

    Raises:
        ConfigError: an address cannot be bound.
    """
    return Keeper(plan).run()


def _spawn(module: str, arguments: list[str], descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
    # The package may be run from a checkout: the children must find the same one.
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("PYTHONHASHSEED", None)  # a fixed seed would give away the key of the run-time proof
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        pass_fds=descriptors,
        env=environment,
        process_group=0,  # Ctrl-C in a terminal reaches the keeper alone, which knows the order of ending
    )


def _read(sock: socket.socket) -> bytes:
    try:
        return sock.recv(256)
    except BlockingIOError:
        return b""
