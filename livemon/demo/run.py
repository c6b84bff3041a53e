"""`livemon demo`: bridge, node, web and a simulated call centre on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import shutil
import signal
import ssl
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from livemon import config as configuration
from livemon.bus.hub import Hub
from livemon.bus.local import LocalBus
from livemon.demo.schedule import Schedule
from livemon.demo.stage import Stage, free_ports, is_loopback
from livemon.demo.voice import packaged_speaker
from livemon.demo.web import LINKS
from livemon.errors import ConfigError
from livemon.serve import Child, Supervisor, children_of
from sip_bridge.tasks import Tasks

log = logging.getLogger(__name__)

# A first start loads numpy and compiles every module; a slow machine needs a while.
READY_WITHIN_S = 60.0
ASK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line says."""

    calls: int = 8
    host: str = "127.0.0.1"
    port: int = 8080
    seed: int = 1
    duration: float | None = None
    """Seconds after the links are printed at which the demo ends by itself; None: until Ctrl-C."""


def cache_dir() -> Path:
    """Return where rendered conversations are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "livemon" / "demo"


def run(options: DemoOptions) -> int:
    """Run the demo; return the exit status.

    Raises:
        ConfigError: an option is wrong or a port is taken.
    """
    if not 1 <= options.calls <= 500:
        raise ConfigError(f"--calls {options.calls}: choose between 1 and 500")
    folder = Path(tempfile.mkdtemp(prefix="livemon-demo-"))
    try:
        agents = Schedule(options.calls, options.seed).agents
        ports = free_ports(options.host, options.port, options.calls)
        stage = Stage(folder, options.host, ports, agents, tls=not is_loopback(options.host))
        stage.write()
        terminal = _logs_into(folder / "demo.log")
        status = asyncio.run(_run(stage, options, terminal))
        if status:
            _say(terminal, f"the demo ended with an error; its log is {folder / 'demo.log'}")
            return status
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def demo_children(stage: Stage, options: DemoOptions) -> tuple[Child, ...]:
    """Return every process of the demo."""
    python, config = sys.executable, configuration.load(stage.config)
    node, _ = children_of(config, stage.config)
    bus = f"unix:{config.bus_path}"
    host, ports = stage.host, stage.ports
    bridge = "import sys; from sip_bridge.cli import main; sys.exit(main())"
    centre = ["--host", host, "--bridge", f"{host}:{ports.sip}", "--pbx-port", str(ports.pbx)]
    centre += ["--calls", str(options.calls), "--seed", str(options.seed), "--cache", str(cache_dir())]
    return (
        node,
        Child("web", (python, "-m", "livemon.demo.web", "--config", str(stage.config), "--bus", bus), spare=True),
        Child("bridge", (python, "-c", bridge, "--config", str(stage.config))),
        Child("centre", (python, "-m", "livemon.demo.centre", *centre, "--bus", str(config.bus_path))),
    )


async def _run(stage: Stage, options: DemoOptions, terminal: int) -> int:
    tokens = {"/": secrets.token_urlsafe(24), "/wallboard": secrets.token_urlsafe(24)}
    logins = {"/": "supervisor", "/wallboard": "wallboard"}
    os.environ[LINKS] = json.dumps([[token, logins[path], path] for path, token in tokens.items()])
    path = configuration.load(stage.config).bus_path
    supervisor = Supervisor(demo_children(stage, options), Hub(path), LocalBus(path, "demo-run"))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop.set)
    tasks = Tasks("demo-run")
    tasks.start(_announce(stage, options, tokens, terminal, supervisor), "announce")
    status = await supervisor.run()
    await tasks.close()
    return status


async def _announce(
    stage: Stage, options: DemoOptions, tokens: dict[str, str], terminal: int, supervisor: Supervisor
) -> None:
    """Print the two links once the pages answer."""
    loop = asyncio.get_running_loop()
    until = loop.time() + READY_WITHIN_S
    while not await _answers(stage):
        if loop.time() > until:
            _say(terminal, f"the pages did not come up within {READY_WITHIN_S:.0f} s; see {stage.folder / 'demo.log'}")
            supervisor.status = 1
            supervisor.stop.set()
            return
        await asyncio.sleep(ASK_EVERY_S)
    lines = [
        "",
        f"  Console    {stage.url}/enter/{tokens['/']}",
        f"  Wallboard  {stage.url}/enter/{tokens['/wallboard']}",
        "",
        "  Each link signs in once. Everybody in the demo is invented. Ctrl-C ends it.",
    ]
    if packaged_speaker() is None:
        lines.append("  The voice package is not installed (pip install livemon[demo]): you hear generated sound.")
    if stage.tls:
        lines.append("  The certificate is self-signed: your browser will ask.")
    _say(terminal, "\n".join(lines) + "\n")
    if options.duration is not None:
        loop.call_later(options.duration, supervisor.stop.set)


async def _answers(stage: Stage) -> bool:
    """Ask the pages for /readyz, in plain HTTP/1.1: it is one line that counts."""
    context = None
    if stage.tls:
        context = ssl.create_default_context(cafile=str(stage.folder / "demo.crt"))
        context.check_hostname = False
    try:
        reader, writer = await asyncio.open_connection(stage.host, stage.ports.web, ssl=context)
    except OSError:
        return False
    try:
        writer.write(
            f"GET /readyz HTTP/1.1\r\nHost: {stage.host}:{stage.ports.web}\r\nConnection: close\r\n\r\n".encode()
        )
        status = await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()
    return b" 200 " in status


def _logs_into(path: Path) -> int:
    """Send what this process and its children log to a file; return a descriptor of the terminal."""
    terminal = os.dup(sys.stdout.fileno())
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, sys.stderr.fileno())
    os.close(file)
    os.set_inheritable(terminal, False)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)
    return terminal


def _say(terminal: int, text: str) -> None:
    os.write(terminal, (text + "\n").encode())
