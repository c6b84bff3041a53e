"""A whole livemon around telephones that share no code with it: bridge, node and web as processes of their own."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from livemon import config as configuration
from livemon.bus.hub import Hub
from livemon.bus.local import LocalBus
from livemon.serve import Child, Supervisor, children_of
from sip_bridge.tasks import Tasks
from tests.desk import Desk

HOST = "127.0.0.1"
PASSWORD = "correct horse battery"
BRIDGE = "import sys; from sip_bridge.cli import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Plan:
    """Ports and neighbours of one house; `base` is the first of the 100 ports it may take."""

    base: int
    pbx_route: str = ""
    """Where calls to the world go; "" when the world only calls."""
    phones_route: str = ""
    """Where calls to agents go; "" when their phones register through the bridge."""
    dead_air_ms: tuple[int, int, int] | None = None
    """Warning, alert and critical; None keeps the defaults."""

    @property
    def sip(self) -> int:
        """The bridge's SIP port."""
        return self.base

    @property
    def metrics(self) -> int:
        """The bridge's HTTP port."""
        return self.base + 1

    @property
    def web(self) -> int:
        """The port of pages and API."""
        return self.base + 2

    @property
    def rtp(self) -> range:
        """The bridge's RTP and RTCP ports."""
        return range(self.base + 10, self.base + 60)

    def toml(self, folder: Path) -> str:
        """Return the settings of all three processes."""
        thresholds = ""
        if self.dead_air_ms is not None:
            names = ("warn", "alert", "critical")
            thresholds = "\n".join(
                f"dead_air_{name}_ms = {value}" for name, value in zip(names, self.dead_air_ms, strict=True)
            )
        routes = {"pbx": self.pbx_route, "phones": self.phones_route}
        trunks = "\n".join(
            f'[[trunk]]\nname = "{side}"\nside = "{side}"\nidentity.queue = ["header:X-Queue"]\n'
            + (f'route = "{route}"\n' if route else "")
            for side, route in routes.items()
        )
        return f"""
[bridge]
name = "house"
listen = ["udp:{HOST}:{self.sip}"]
rtp_host = "{HOST}"
rtp_ports = "{self.rtp[0]}-{self.rtp[-1]}"
metrics = "{HOST}:{self.metrics}"
[link]
server = "unix://{folder}/node-0.sock"
key_file = "{folder}/link.key"
[server]
host = "{HOST}"
port = {self.web}
data_dir = "{folder}"
[node]
rtc_host = "{HOST}"
rtc_port = {self.base + 3}
advertise = ["{HOST}"]
fallback_port = {self.base + 4}
{trunks}
[[team]]
id = "orders"
name = "Orders"
[[queue]]
id = "orders"
name = "Orders"
{thresholds}
[[agent]]
id = "anna"
name = "Anna Abel"
number = "201"
team = "orders"
[[user]]
login = "sue"
name = "Sue"
role = "admin"
teams = ["*"]
password = "{PASSWORD}"
"""


@dataclass(slots=True)
class House:
    """A livemon that runs."""

    plan: Plan
    folder: Path
    supervisor: Supervisor
    bus: LocalBus

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://{HOST}:{self.plan.web}"

    @asynccontextmanager
    async def desk(self, login: str = "sue") -> AsyncIterator[Desk]:
        """Sign a supervisor in."""
        async with httpx.AsyncClient(base_url=self.url, headers={"origin": self.url}, timeout=10) as client:
            answer = await client.post("/api/login", json={"login": login, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            yield Desk(client)

    async def figures(self) -> dict[str, float]:
        """Return the bridge's figures."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"http://{HOST}:{self.plan.metrics}/metrics")).text
        rows = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    async def ready(self, seconds: float = 60.0) -> None:
        """Wait until the pages answer and the bridge is attached to the node."""
        async with asyncio.timeout(seconds), httpx.AsyncClient() as client:
            while True:
                try:
                    text = (await client.get(f"{self.url}/metrics")).text
                    if 'node="' in text and (await self.figures()).get("livemon_bridge_link_up") == 1:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.1)


@contextmanager
def short_folder() -> Iterator[Path]:
    """Make a folder whose path is short: Unix sockets live in it."""
    with tempfile.TemporaryDirectory(prefix="lm", ignore_cleanup_errors=True) as name:
        yield Path(name)


@asynccontextmanager
async def house(plan: Plan) -> AsyncIterator[House]:
    """Start bridge, node and web, and end them afterwards."""
    with short_folder() as folder:
        (folder / "link.key").write_text(secrets.token_hex(32) + "\n")
        (folder / "link.key").chmod(0o600)
        path = folder / "house.toml"
        path.write_text(plan.toml(folder))
        config = configuration.load(path)
        children = (
            *children_of(config, path),
            Child("bridge", (sys.executable, "-c", BRIDGE, "--config", str(path))),
        )
        bus = LocalBus(config.bus_path, "house")
        supervisor = Supervisor(children, Hub(config.bus_path), bus)
        tasks = Tasks("house")
        supervising = tasks.start(supervisor.run(), "supervisor")
        made = House(plan, folder, supervisor, bus)
        try:
            await made.ready()
            yield made
        finally:
            # SIGTERM would wait for the calls a failed test has left behind.
            if (bridge := supervisor.pid("bridge")) is not None:
                os.kill(bridge, signal.SIGINT)
            supervisor.stop.set()
            await asyncio.wait([supervising], timeout=30)
            await tasks.close()


def free_base(first: int, last: int, size: int = 100) -> int:
    """Return the first port of `size` free ones in a row, UDP and TCP; below 32768 no client socket takes them."""
    for base in range(first, last - size + 1, size):
        if all(_free(port) for port in range(base, base + size)):
            return base
    raise OSError(f"no {size} free ports in a row between {first} and {last}")


def _free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a server does
            try:
                probe.bind((HOST, port))
            except OSError:
                return False
    return True
