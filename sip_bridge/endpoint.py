"""The shell around the SIP cores: sockets in, cores fed, what they queued sent, one timer armed.

Run as `python -m sip_bridge.endpoint --listen 127.0.0.1:5070 --route 127.0.0.1:5080` it is a signalling-only proxy for
tests of the stack: every request goes to the one route, SDP passes untouched, SIGUSR1 writes the table sizes as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import signal
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from sip_bridge.b2bua.core import B2bua
from sip_bridge.hooks import CallEvent, HeaderView, Hop, Route, SdpRole, Side
from sip_bridge.registrar import Registrar
from sip_bridge.tasks import Tasks
from sip_bridge.transaction_layer import Advertised, Outgoing, TransactionLayer
from sip_bridge.transport import StreamLimits, Streams, UdpSocket
from sip_bridge.transport_gate import SourceGate

SWEEP: Final = 5.0
"""Seconds between looks at idle connections; small against every limit they are held to."""
EARLY: Final = 0.001
"""Seconds a timer may be late rather than be armed anew."""
NAME_LIFE: Final = 60.0
"""Seconds a resolved host name is believed."""
NAMES: Final = 1024
STREAM_LIMITS: Final = StreamLimits()


class SipShell:
    """Joins a transaction layer to sockets that are already open; it never closes UDP sockets it was given."""

    def __init__(
        self,
        layer: TransactionLayer,
        udp: Sequence[socket.socket],
        tcp: Sequence[socket.socket] = (),
        gate: SourceGate | None = None,
        limits: StreamLimits = STREAM_LIMITS,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._layer = layer
        self._gate = gate
        self._limits = limits
        self._udp = [UdpSocket(sock, index, self._receive, self.counters) for index, sock in enumerate(udp)]
        self._tcp = tcp
        self._streams: Streams | None = None
        self._tasks = Tasks("sip-shell")
        self._timer: asyncio.TimerHandle | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._names: dict[str, tuple[str, float]] = {}

    async def start(self) -> None:
        """Begin to read from all sockets."""
        loop = self._loop = asyncio.get_running_loop()
        self._streams = Streams(self._limits, self._receive, self.flush, self._broken, self.counters)
        for sock in self._udp:
            sock.open(loop, self.flush)
        for index, listening in enumerate(self._tcp):
            await self._streams.listen(listening, index)
        self._sweep()
        self.flush()

    async def close(self) -> None:
        """Stop reading and cut all connections."""
        for sock in self._udp:
            sock.close(self._loop)
        for handle in (self._timer, self._sweeper):
            if handle is not None:
                handle.cancel()
        if self._streams is not None:
            await self._streams.close()
        await self._tasks.close()

    @property
    def connections(self) -> int:
        """How many TCP connections there are."""
        return len(self._streams) if self._streams else 0

    def flush(self) -> None:
        """Send what the cores have queued, and arm the timer for what they wait for."""
        for outgoing in self._layer.drain():
            self._send(outgoing)
        due = self._layer.due()
        timer = self._timer
        if due is None or (timer is not None and timer.when() <= due + EARLY):
            return
        if timer is not None:
            timer.cancel()
        self._timer = self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._layer.tick(self._loop.time())
        self.flush()

    def _sweep(self) -> None:
        if self._streams is not None:
            self._streams.sweep()
        self._sweeper = self._loop.call_later(SWEEP, self._sweep)

    def _receive(self, data: bytes, source: Hop) -> None:
        now = self._loop.time()
        if self._gate is not None and not self._gate.allow(source.host, now):
            self.counters["gated"] += 1
            return
        self._layer.receive(data, source, now)

    def _broken(self, hop: Hop) -> None:
        self._layer.broken(hop, self._loop.time())
        self.flush()

    def _send(self, outgoing: Outgoing) -> None:
        hop, data, fallback = outgoing
        if hop.transport == "tcp":
            if self._streams is not None:
                self._streams.send(hop, data, fallback)
        elif _is_numeric(hop.host):
            self._send_udp(hop, hop.host, data)
        else:
            self._send_by_name(hop, data)

    def _send_udp(self, hop: Hop, host: str, data: bytes) -> None:
        six = ":" in host
        if hop.local < len(self._udp) and self._udp[hop.local].six == six:
            self._udp[hop.local].send(data, host, hop.port)
            return
        for sock in self._udp:
            if sock.six == six:
                sock.send(data, host, hop.port)
                return
        self.counters["send_failed"] += 1

    def _send_by_name(self, hop: Hop, data: bytes) -> None:
        known = self._names.get(hop.host)
        if known is not None and known[1] > self._loop.time():
            self._send_udp(hop, known[0], data)
        elif len(self._tasks) < self._limits.waiting:
            self._tasks.start(self._resolve(hop, data), "resolve")
        else:
            self.counters["send_failed"] += 1

    async def _resolve(self, hop: Hop, data: bytes) -> None:
        try:
            found = await self._loop.getaddrinfo(hop.host, hop.port, type=socket.SOCK_DGRAM)
        except OSError:
            self.counters["unresolved"] += 1
            self._broken(hop)
            return
        address = str(found[0][4][0])
        if len(self._names) >= NAMES:
            self._names.clear()
        self._names[hop.host] = (address, self._loop.time() + NAME_LIFE)
        self._send_udp(hop, address, data)


@lru_cache(maxsize=NAMES)
def _is_numeric(host: str) -> bool:
    if ":" in host or host.replace(".", "").isdigit():
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True
    return False


class OneRoute:
    """A router for tests of the stack: every request goes to one place, its user part kept."""

    def __init__(self, hop: Hop) -> None:
        self._hop = hop

    def route(self, method: str, request_uri: str, source: Hop, headers: HeaderView) -> Route:
        """Return the one route."""
        user = request_uri.partition(":")[2].rpartition("@")[0]
        host = f"[{self._hop.host}]" if ":" in self._hop.host else self._hop.host
        uri = f"sip:{user}{'@' if user else ''}{host}:{self._hop.port}"
        return Route(self._hop, uri, "in", "out")


class UntouchedMedia:
    """A media hook that anchors nothing."""

    def sdp(self, call: str, sender: Side, role: SdpRole, body: bytes) -> bytes:
        """Return the body as it is."""
        return body

    def refused(self, call: str, sender: Side) -> None:
        """Do nothing."""

    def ended(self, call: str) -> None:
        """Do nothing."""


class EndCounter:
    """An observer that counts how calls ended."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()

    def on_call(self, event: CallEvent, now: float) -> None:
        """Count the event by its class."""
        self.events[type(event).__name__] += 1


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _listen(kind: socket.SocketKind, address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, kind)
    if kind == socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    return sock


async def run(listen: Sequence[str], route: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    addresses = tuple(_address(text) for text in listen)
    host, port = _address(route)
    layer = TransactionLayer(Advertised(addresses, addresses))
    router = OneRoute(Hop("udp", host, port))
    registrar = Registrar(layer, router)
    observer = EndCounter()
    b2bua = B2bua(layer, router, UntouchedMedia(), observer, registrar=registrar)
    udp = [_listen(socket.SOCK_DGRAM, address) for address in addresses]
    shell = SipShell(layer, udp, [_listen(socket.SOCK_STREAM, address) for address in addresses])
    await shell.start()

    def report() -> None:
        tables = {"calls": len(b2bua.calls), "dialogs": b2bua.dialogs, "clients": len(layer.clients)}
        tables |= {"servers": len(layer.servers), "timers": len(layer.timers), "bindings": len(registrar)}
        tables |= {"connections": shell.connections}
        sys.stdout.write(json.dumps({"tables": tables, **layer.counters, **observer.events}) + "\n")
        sys.stdout.flush()

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, report)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    await shell.close()
    for sock in udp:
        sock.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="A signalling-only SIP proxy for tests of the stack.")
    parser.add_argument("--listen", action="append", required=True, metavar="HOST:PORT")
    parser.add_argument("--route", required=True, metavar="HOST:PORT")
    options = parser.parse_args()
    asyncio.run(run(options.listen, options.route))


if __name__ == "__main__":
    main()
