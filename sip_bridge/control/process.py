"""The control process: sockets, clock and signals around the cores."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sip_bridge import log as bridge_log
from sip_bridge.b2bua.core import B2bua
from sip_bridge.config import BridgeConfig, from_mapping
from sip_bridge.control.channel import MediaChannel
from sip_bridge.control.core import Control
from sip_bridge.control.figures import Picture, figures, states
from sip_bridge.control.outlets import Surroundings
from sip_bridge.control.scrape import ScrapeServer
from sip_bridge.endpoint import SipShell
from sip_bridge.errors import BridgeError, ConfigError
from sip_bridge.identity import uuid7
from sip_bridge.journal import DescriptorStore, Journal
from sip_bridge.link.client import LinkAddress, LinkClient
from sip_bridge.metrics import exposition
from sip_bridge.registrar import Registrar
from sip_bridge.routing import TrunkRouter
from sip_bridge.tasks import Tasks
from sip_bridge.transaction_layer import Advertised, TransactionLayer

log = logging.getLogger(__name__)

STATS_EVERY: Final = 5
"""Seconds between questions to the media process; also its watchdog."""
MEDIA_STALE: Final = 15.0
"""Seconds without an answer after which media is called hung in the log: three questions."""
COLLECT_AFTER: Final = 10_000
"""Objects between garbage collections: some 20 calls' worth; a call leaves few cycles behind."""
FAREWELL: Final = 0.3
"""Seconds the last BYEs and answers get to leave before the process ends."""


class ControlProcess:
    """Everything of one life of the control process; made inside a running loop."""

    def __init__(self, config: BridgeConfig, descriptors: Descriptors, node: LinkAddress | None = None) -> None:
        self._config = config
        self._descriptors = descriptors
        self._tasks = Tasks("control")
        self._stopping = asyncio.Event()
        self._started = _now()
        shown = [(config.advertise or hop.host, hop.port, hop.transport) for hop in config.listen]
        self._layer = TransactionLayer(
            Advertised(
                udp=tuple((host, port) for host, port, transport in shown if transport == "udp"),
                tcp=tuple((host, port) for host, port, transport in shown if transport == "tcp"),
            )
        )
        own = {(hop.host, hop.port) for hop in config.listen} | {(host, port) for host, port, _ in shown}
        router = TrunkRouter(config.trunks, frozenset(own))
        journal = Journal(DescriptorStore(descriptors.journal))
        given = Surroundings(_now, _utc_ms, lambda: uuid7(_utc_ms(), os.urandom(10)), self._aor)
        self._control = Control(config, router, self, given, journal)
        self._registrar = Registrar(self._layer, router, journal=self._control.on_binding)
        self._b2bua = B2bua(
            self._layer, router, self._control, self._control, registrar=self._registrar, journal=self._control.on_dump
        )
        router.registered = lambda uri: self._registrar.locate(uri) is not None
        self._shell = SipShell(self._layer, descriptors.udp, descriptors.tcp)
        self._channel = MediaChannel(descriptors.media, self._control.media.take, self._abandoned)
        self._link = LinkClient(node, self._control, time.monotonic_ns) if node is not None else None
        self._scrape = ScrapeServer(self._text, lambda: not self._b2bua.draining)

    async def run(self) -> None:
        """Serve until a signal ends the process."""
        self._channel.command({"cmd": "hello"})
        self._restore()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._drain)
        loop.add_signal_handler(signal.SIGINT, self._stopping.set)
        await self._shell.start()
        if self._link is not None:
            self._link.start()
        if self._config.metrics is not None:
            await self._scrape.start(self._config.metrics.host, self._config.metrics.port)
        self._tasks.start(self._each_second(), "second")
        gc.collect()
        gc.freeze()  # modules and tables live as long as the process: a collection need not visit them
        gc.set_threshold(COLLECT_AFTER)
        log.info("control is up", extra={"bridge": self._config.name})
        await self._stopping.wait()
        await self._farewell()

    # Outlets

    def command(self, *commands: dict[str, Any]) -> None:
        """Send JSON commands to the media process."""
        self._channel.command(*commands)

    def frame(self, frame: bytes) -> None:
        """Send a whisper frame to the media process."""
        self._channel.frame(frame)

    def tell(self, message: dict[str, Any]) -> None:
        """Send a JSON message to the node."""
        if self._link is not None:
            self._link.tell(message)

    def tap(self, frame: bytes) -> None:
        """Send a tap frame to the node."""
        if self._link is not None:
            self._link.tap(frame)

    def hang_up(self, call: str, reason: str) -> None:
        """End a call on both sides."""
        self._b2bua.hang_up(call, reason, _now())
        self._shell.flush()

    # within

    def _aor(self, request_uri: str) -> str:
        binding = self._registrar.locate(request_uri)
        return binding.aor if binding is not None else ""

    def _restore(self) -> None:
        now = _now()
        for data in self._control.journalled_bindings():
            self._registrar.restore(data, now)
        for call, record in self._control.journalled_calls():
            if self._b2bua.restore(record.get("sip") or {}, now) is None:
                log.error("a journalled call could not be taken up", extra={"call": call})
                continue
            try:
                self._control.restore(call, record)
            except BridgeError as error:
                log.error("a call goes on unmonitored: %s", error, extra={"call": call})
        if self._b2bua.calls:
            log.warning("took up %d calls of an earlier life", len(self._b2bua.calls))

    def _drain(self) -> None:
        if self._b2bua.draining:
            # The second SIGTERM: the keeper's patience is over.
            self._stopping.set()
            return
        self._b2bua.draining = True
        log.info("draining", extra={"calls": len(self._b2bua.calls)})
        if not self._b2bua.calls:
            self._stopping.set()

    def _abandoned(self) -> None:
        # Nobody relays and nobody would start media again; a new bridge needs our SIP sockets to be free.
        log.critical("keeper and media are gone: the calls end here", extra={"calls": len(self._b2bua.calls)})
        self._stopping.set()

    async def _farewell(self) -> None:
        for call in list(self._b2bua.calls):
            self._b2bua.hang_up(call, "shutting down", _now())
        self._shell.flush()
        await asyncio.sleep(FAREWELL)
        if self._link is not None:
            await self._link.close()
        await self._scrape.close()
        await self._tasks.close()
        await self._shell.close()
        self._channel.close()
        self._descriptors.close()

    async def _each_second(self) -> None:
        second = 0
        while True:
            self._control.tick()
            if self._b2bua.draining and not self._b2bua.calls:
                self._stopping.set()
            if second % STATS_EVERY == 0:
                self._channel.command({"cmd": "stats"})
                if self._media_silent() > MEDIA_STALE:
                    log.error("media has not answered for %d s", self._media_silent())
            second += 1
            await asyncio.sleep(1)

    def _media_silent(self) -> float:
        return _now() - max(self._control.media.stats_at, self._started)

    def _text(self) -> str:
        control, link = self._control, self._link
        counters = control.media.stats.get("counters")
        picture = Picture(
            calls=len(self._b2bua.calls),
            segments=states(control.segments.live()),
            ports_free=control.ports.free(_now()),
            ports=control.ports.size,
            grants=len(control.grants),
            link_up=link is not None and link.connected,
            link_attempts=link.attempts if link else 0,
            tap_dropped=link.dropped if link else 0,
            replay_bytes=control.ring.bytes,
            draining=self._b2bua.draining,
            media_silent_s=self._media_silent(),
            media=counters if isinstance(counters, dict) else {},
            counters={**control.counters, **self._channel.counters},
            anchor=control.anchor.counters,
            sip=self._layer.counters,
        )
        return exposition(figures(picture))


class Descriptors:
    """The sockets and the memory file handed over by the keeper."""

    def __init__(self, udp: Sequence[int], tcp: Sequence[int], media: int, journal: int) -> None:
        self.udp = [_socket(number) for number in udp]
        self.tcp = [_socket(number) for number in tcp]
        self.media = _socket(media)
        self.journal = journal

    def close(self) -> None:
        """Close our copies of the sockets; the keeper's stay open."""
        for sock in (*self.udp, *self.tcp, self.media):
            sock.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the control process with the keeper's arguments; return the exit code."""
    parser = argparse.ArgumentParser("sip_bridge.control", description="Started by sip-bridge, not by hand.")
    parser.add_argument("--sip-udp-fds", type=_numbers, default=())
    parser.add_argument("--sip-tcp-fds", type=_numbers, default=())
    parser.add_argument("--media-fd", type=int, required=True)
    parser.add_argument("--journal-fd", type=int, required=True)
    parser.add_argument("--rtp-ports", required=True, help="the range the keeper has opened")
    parser.add_argument("--settings", type=json.loads, required=True, help="the configuration as JSON")
    parser.add_argument("--log-level", default="info")
    options = parser.parse_args(arguments)
    bridge_log.configure(sys.stderr, getattr(logging, options.log_level.upper(), logging.INFO), _utc)
    try:
        config = from_mapping(options.settings)
        node = link_address(config)
        descriptors = Descriptors(options.sip_udp_fds, options.sip_tcp_fds, options.media_fd, options.journal_fd)
        asyncio.run(_run(config, descriptors, node))
    except ConfigError as error:
        log.critical("%s", error)
        return 2
    return 0


def link_address(config: BridgeConfig) -> LinkAddress | None:
    """Return where the node is and the key from its file; raises ConfigError when that cannot be read."""
    if not config.server:
        return None
    try:
        key = Path(config.key_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"link: key_file {config.key_file}: {error}; write the path of a readable file") from error
    return LinkAddress(config.server, key)


async def _run(config: BridgeConfig, descriptors: Descriptors, node: LinkAddress | None) -> None:
    await ControlProcess(config, descriptors, node).run()


def _socket(number: int) -> socket.socket:
    sock = socket.socket(fileno=number)
    sock.setblocking(False)
    return sock


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(",") if word)


def _now() -> float:
    return time.monotonic()


def _utc_ms() -> int:
    return time.time_ns() // 1_000_000


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
