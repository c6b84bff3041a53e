"""The UDP port of the listening service: socket in, ICE-lite core, socket out."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import Final

from aioice.ice import get_host_addresses

from livemon.listen.icelite import Address, IceAgent, IceMux, IcePeer

log = logging.getLogger(__name__)

_BURST: Final = 64
"""Datagrams read in one turn of the loop, so that a flood cannot starve the timers."""
_READ: Final = 2048
"""Bytes of the largest datagram taken in: WebRTC stays below the Ethernet MTU of 1500."""
_BUFFER: Final = 4 << 20
"""Socket buffer bytes: 50 browsers that join at once make the loop 10 ms late (measured), 4 MiB covers seconds."""
_SWEEP_S: Final = 1.0


class UdpPort:
    """One bound UDP socket with an `IceMux` on it; `advertise` are the addresses browsers are told (NAT 1:1)."""

    def __init__(self, sock: socket.socket, advertise: Sequence[str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._buffer = bytearray(_READ)
        self._view = memoryview(self._buffer)
        self._timer = self._loop.call_later(_SWEEP_S, self._sweep)
        self.mux = IceMux()
        self.advertise = tuple(advertise)
        self.port: int = sock.getsockname()[1]
        self._loop.add_reader(sock.fileno(), self._readable)

    @classmethod
    def bind(cls, host: str, port: int, advertise: Sequence[str] = ()) -> UdpPort:
        """Bind `host`:`port` (0 picks one); without `advertise` the host's own addresses are told to browsers."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        sock.bind((host, port))
        return cls(sock, advertise or _own_addresses(host))

    def open(self, peer: IcePeer) -> IceAgent:
        """Return a new agent that hands its data and its chosen path to `peer`."""
        return self.mux.open(peer, self._loop.time())

    def send(self, data: bytes, address: Address) -> bool:
        """Send one datagram; a full socket drops it, because late audio is worse than lost audio."""
        try:
            self._sock.sendto(data, address)
        except OSError as error:
            self.mux.counters.refuse(f"send_{type(error).__name__}")
            return False
        self.mux.counters.sent += 1
        return True

    def figures(self) -> dict[str, float]:
        """Return what went through, for `/metrics`."""
        seen = self.mux.counters
        figures: dict[str, float] = {"listen_datagrams": seen.datagrams, "listen_sent": seen.sent}
        figures["listen_checks"] = seen.checks
        return figures | {f"listen_refused_{reason}": float(count) for reason, count in seen.refused.items()}

    def close(self) -> None:
        """Close the socket; agents that are still open hear nothing more."""
        self._timer.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _readable(self) -> None:
        now = self._loop.time()
        for _ in range(_BURST):
            try:
                size, address = self._sock.recvfrom_into(self._buffer, _READ)
            except BlockingIOError:
                return
            except OSError as error:  # an ICMP error of an earlier send is reported here
                self.mux.counters.refuse(f"receive_{type(error).__name__}")
                return
            answer = self.mux.receive(bytes(self._view[:size]), address[:2], now)
            if answer is not None:
                self.send(answer, address[:2])

    def _sweep(self) -> None:
        self._timer = self._loop.call_later(_SWEEP_S, self._sweep)
        for agent in self.mux.dead(self._loop.time()):
            agent.peer.on_dead()


def _own_addresses(host: str) -> list[str]:
    if host not in ("0.0.0.0", "::"):
        return [host]
    return get_host_addresses(use_ipv4=True, use_ipv6=host == "::") or ["127.0.0.1"]
