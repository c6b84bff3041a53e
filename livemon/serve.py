"""`livemon serve`: hosts the local bus and keeps one node and one web process alive."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

from livemon import config as configuration
from livemon import log as logs
from livemon import spare
from livemon.bus.hub import Hub
from livemon.bus.local import LocalBus
from livemon.config import Config
from livemon.errors import ConfigError
from livemon.tap.keys import ensure_key_file
from sip_bridge.tasks import Tasks

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.1
"""Seconds before the first restart: a supervisor's audio has to be back within 3 s."""
LONGEST_PAUSE = 10.0
"""Seconds between restarts of a process that keeps dying; each try loads numpy and costs half a second of a core."""
STEADY = 10.0
"""Seconds after which a process counts as healthy and the pause starts small again."""
HANG = 10.0
"""Seconds without a sign of life before a node is killed: it says one every second."""
LOADING = 6
"""How many times longer than `HANG` a node may take to give its first sign of life."""
GRACE = 10.0
"""Seconds a child has to end by itself after SIGTERM: it closes sessions and writes their audit records."""
SPARE_AFTER = 5.0
"""Seconds a process runs before its spare is loaded: loading costs a core for a second or two, and would compete with
what has just started."""
WRONG_SETTING = 2
"""Exit status of a child whose settings are wrong; starting it again would not help."""


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded here: not between fork and exec


class Backoff:
    """How long to wait before the next start (core)."""

    def __init__(self) -> None:
        self._pause = FIRST_PAUSE

    def after(self, lived: float) -> float:
        """Return the pause after a process that lived `lived` seconds."""
        if lived >= STEADY:
            self._pause = FIRST_PAUSE
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
        return pause


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep alive; `beat` is the bus topic it speaks on every second, "" if none.

    With `spare` another one that has loaded everything stands by (`livemon.spare`) and takes over when it dies.
    """

    name: str
    command: tuple[str, ...]
    beat: str = ""
    spare: bool = False


@dataclass(slots=True)
class _Running:
    process: asyncio.subprocess.Process
    started: float
    alive_at: float
    beats: int = 0


@dataclass(slots=True)
class Supervisor:
    """Keeps children alive until `stop` is set; `restarts` counts by name."""

    children: tuple[Child, ...]
    hub: Hub
    bus: LocalBus
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    restarts: dict[str, int] = field(default_factory=dict)
    status: int = 0
    hang: float = HANG
    spare_after: float = SPARE_AFTER
    _running: dict[str, _Running] = field(default_factory=dict)
    _spares: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def run(self) -> int:
        """Start everything, wait for `stop`, end everything; return the exit status."""
        await self.hub.start()
        await self.bus.start()
        watching = Tasks("watch")
        watching.start(self._hear(), "beats")
        watching.start(self._watch(), "hangs")
        keeping = Tasks("keep")
        kept = [keeping.start(self._keep(child), child.name) for child in self.children]
        await self.stop.wait()
        log.info("stopping")
        await watching.close()
        for running in list(self._running.values()):
            _signal(running.process, signal.SIGTERM)
        await asyncio.wait(kept, timeout=GRACE)
        for running in list(self._running.values()):
            _signal(running.process, signal.SIGKILL)
        await asyncio.wait(kept)
        for waiting in self._spares.values():
            _signal(waiting, signal.SIGKILL)  # it holds nothing
            await waiting.wait()
        await self.bus.close()
        await self.hub.close()
        return self.status

    def pid(self, name: str) -> int | None:
        """Return the process id of a child that runs now."""
        running = self._running.get(name)
        return running.process.pid if running is not None else None

    def spare(self, name: str) -> int | None:
        """Return the process id of a child's spare."""
        waiting = self._spares.get(name)
        return waiting.pid if waiting is not None and waiting.returncode is None else None

    async def _keep(self, child: Child) -> None:
        clock = asyncio.get_running_loop().time
        backoff = Backoff()
        while not self.stop.is_set():
            process = self._take_spare(child) or await _spawn(*child.command)
            self._running[child.name] = running = _Running(process, clock(), clock())
            log.info("%s started, pid %d", child.name, process.pid)
            code = await self._wait(child, process)
            del self._running[child.name]
            if self.stop.is_set():
                return
            if code == WRONG_SETTING:
                log.error("%s cannot run with these settings", child.name)
                self.status = WRONG_SETTING
                self.stop.set()
                return
            pause = backoff.after(clock() - running.started)
            self.restarts[child.name] = self.restarts.get(child.name, 0) + 1
            log.warning("%s ended with %d and is started again in %.1f s", child.name, code, pause)
            await _sleep_or(self.stop, pause)

    async def _wait(self, child: Child, process: asyncio.subprocess.Process) -> int:
        """Wait for the end of a child; give it a spare once it has run for a while."""
        try:
            return await asyncio.wait_for(process.wait(), self.spare_after if child.spare else None)
        except TimeoutError:
            if not self.stop.is_set():
                self._spares[child.name] = await _spawn(*child.command, spare.FLAG, stdin=asyncio.subprocess.PIPE)
        return await process.wait()

    def _take_spare(self, child: Child) -> asyncio.subprocess.Process | None:
        process = self._spares.pop(child.name, None)
        if process is None or process.returncode is not None or process.stdin is None:
            return None
        log.info("the spare of %s takes over", child.name)
        process.stdin.write(spare.GO)
        process.stdin.close()
        return process

    async def _hear(self) -> None:
        clock = asyncio.get_running_loop().time
        async for message in self.bus.subscribe("node.", limit=64):
            for child in self.children:
                if child.beat == message.topic and (running := self._running.get(child.name)) is not None:
                    running.alive_at = clock()
                    running.beats += 1
                    if running.beats == 1:
                        log.info("%s is ready", child.name)

    async def _watch(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self.hang / 10)
            for child in self.children:
                running = self._running.get(child.name)
                if child.beat and running is not None and clock() - running.alive_at > self._patience(running):
                    log.error("%s gave no sign of life for %.0f s and is killed", child.name, self.hang)
                    running.alive_at = clock()
                    _signal(running.process, signal.SIGKILL)

    def _patience(self, running: _Running) -> float:
        # Until its first beat a process is loading; on a busy machine that takes longer than any hang may last.
        return self.hang if running.beats else self.hang * LOADING


def _die_with_parent() -> None:
    """Ask Linux to end this child when the supervisor dies: a second one must find ports and journals free."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def _spawn(*command: str, stdin: int = asyncio.subprocess.DEVNULL) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(*command, stdin=stdin, preexec_fn=_die_with_parent)


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)


async def _sleep_or(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def children_of(config: Config, path: Path) -> tuple[Child, ...]:
    """Return the processes of one machine: one node and one web process, both reading `path`."""
    python = sys.executable
    name = config.node.name
    return (
        Child(name, (python, "-m", "livemon.node", "--config", str(path)), f"node.{name}", spare=True),
        Child("web", (python, "-m", "livemon.api", "--config", str(path)), spare=True),
    )


async def _serve(config: Config, path: Path) -> int:
    supervisor = Supervisor(children_of(config, path), Hub(config.bus_path), LocalBus(config.bus_path, "serve"))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stop.set)
    return await supervisor.run()


def serve(config: Config, path: Path | None = None) -> int:
    """Run livemon on this machine until SIGTERM; return the exit status.

    Raises ConfigError when the data directory cannot be used. `path` is the file `config` was read from; without it
    the settings are written into the data directory for the children.
    """
    logs.configure("serve", config.server.log_level)
    data_dir = config.server.data_dir
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        ensure_key_file(config.link_key_file)
        if path is None:
            path = data_dir / "effective.json"
            configuration.dump(config, path)
    except OSError as error:
        raise ConfigError(
            f"server.data_dir: {data_dir} cannot be used ({error.strerror}); make it writable or name another one"
        ) from error
    os.umask(0o027)
    return asyncio.run(_serve(config, path))
