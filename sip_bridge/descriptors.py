"""Sockets and memory files that outlive the process that uses them."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
import tempfile
from array import array
from collections.abc import Sequence
from typing import Final

from .errors import ConfigError

BATCH: Final = 200
"""Descriptors per message: Linux takes at most 253 (SCM_MAX_FD)."""
RTP_BUFFER: Final = 1 << 20
"""Bytes of receive buffer: 2,520 packets of 20 ms, so a restarting relay loses none."""
CHANNEL_BUFFER: Final = 4 << 20
"""Bytes the pair between control and media may hold: 200 ms of 1000 calls."""
SPARE_DESCRIPTORS: Final = 1024
"""Descriptors wanted beyond the RTP range: SIP over TCP, links, files."""

_ATTACH_FILTER: Final = 26  # SO_ATTACH_FILTER and SO_DETACH_FILTER, asm-generic/socket.h
_DETACH_FILTER: Final = 27


def open_udp(host: str, port: int, receive_buffer: int = RTP_BUFFER) -> socket.socket:
    """Return a bound, non-blocking UDP socket.

    Raises:
        ConfigError: the address cannot be bound.
    """
    sock = socket.socket(_family(host), socket.SOCK_DGRAM)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    return _bound(sock, host, port, "udp")


def open_tcp(host: str, port: int) -> socket.socket:
    """Return a bound and listening, non-blocking TCP socket.

    Raises:
        ConfigError: the address cannot be bound.
    """
    sock = socket.socket(_family(host), socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _bound(sock, host, port, "tcp")
    sock.listen(256)
    return sock


def open_rtp_range(host: str, first: int, last: int) -> list[socket.socket]:
    """Open every port of `first`..`last`, deaf until a leg uses it.

    Raises:
        ConfigError: the range is not one of pairs (even to odd), or a port is taken.
    """
    if first % 2 or not last % 2 or not 1024 <= first < last <= 65535:
        raise ConfigError(f"rtp-ports {first}-{last}: write an even first and an odd last port, as in 20000-20999")
    raise_descriptor_limit(last - first + 1 + SPARE_DESCRIPTORS)
    opened: list[socket.socket] = []
    try:
        for port in range(first, last + 1):
            opened.append(open_udp(host, port))
            deafen(opened[-1])
    except (ConfigError, OSError) as error:
        for sock in opened:
            sock.close()
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"rtp-ports {first}-{last}: {error.strerror}; raise the limit of open files") from error
    return opened


def raise_descriptor_limit(wanted: int) -> None:
    """Raise the soft limit of open files to at least `wanted`, as far as the hard limit lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < ceiling:
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))


def memory_file(name: str) -> int:
    """Return the descriptor of a file that lives in memory, gone with its last user."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC)
    with tempfile.TemporaryFile(prefix=name) as file:
        return os.dup(file.fileno())


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of the message channel between control and media."""
    kind = getattr(socket, "SOCK_SEQPACKET", socket.SOCK_DGRAM)
    ends = socket.socketpair(socket.AF_UNIX, kind)
    for end in ends:
        end.setblocking(False)
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHANNEL_BUFFER)
    return ends


def deafen(sock: socket.socket) -> None:
    """Let the kernel drop, without an answer, whatever arrives on `sock`.

    An idle port would otherwise collect strangers' packets and play them into the next call. A connected socket is
    no way out: it answers with ICMP. The filter is the one classic BPF instruction `ret #0`.
    """
    program = array("Q", [struct.unpack("=Q", struct.pack("=HBBI", 0x06, 0, 0, 0))[0]])
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", 1, program.buffer_info()[0]))
    drain(sock)


def undeafen(sock: socket.socket) -> None:
    """Let `sock` hear again."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)


def drain(sock: socket.socket) -> int:
    """Throw away what waits on `sock` and return how many packets it was, at most 10,000."""
    for count in range(10_000):
        try:
            sock.recv(1)
        except BlockingIOError:
            return count
    return 10_000


def send_sockets(channel: socket.socket, sockets: Sequence[socket.socket]) -> None:
    """Send `sockets`, each with its local port number, in batches, and close the sending half."""
    for at in range(0, len(sockets), BATCH):
        batch = sockets[at : at + BATCH]
        ports = struct.pack(f"<{len(batch)}H", *(sock.getsockname()[1] for sock in batch))
        socket.send_fds(channel, [ports], [sock.fileno() for sock in batch])
    channel.shutdown(socket.SHUT_WR)


def receive_sockets(channel: socket.socket) -> dict[int, socket.socket]:
    """Return, by local port number, the sockets sent by `send_sockets`."""
    out: dict[int, socket.socket] = {}
    channel.setblocking(True)
    while True:
        ports, numbers, _, _ = socket.recv_fds(channel, 2 * BATCH, BATCH)
        if not numbers:
            return out
        for port, number in zip(struct.unpack(f"<{len(numbers)}H", ports), numbers, strict=True):
            sock = socket.socket(fileno=number)
            sock.setblocking(False)
            out[port] = sock


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bound(sock: socket.socket, host: str, port: int, name: str) -> socket.socket:
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise ConfigError(f"listen {name}:{host}:{port}: {error.strerror}; is another bridge running?") from error
    sock.setblocking(False)
    return sock
