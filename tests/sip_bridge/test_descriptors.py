import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sip_bridge import descriptors
from sip_bridge.errors import ConfigError


@pytest.fixture
def ports() -> Iterator[list[socket.socket]]:
    opened = descriptors.open_rtp_range("127.0.0.1", 22000, 22005)
    yield opened
    for sock in opened:
        sock.close()


def test_the_range_is_opened_in_pairs(ports: list[socket.socket]) -> None:
    assert [sock.getsockname() for sock in ports] == [("127.0.0.1", port) for port in range(22000, 22006)]
    assert all(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 212_992 for sock in ports)


@pytest.mark.parametrize("first, last", [(22001, 22005), (22000, 22004), (22006, 22005), (0, 21), (65000, 65537)])
def test_a_range_that_is_not_of_pairs_is_refused_with_the_fix(first: int, last: int) -> None:
    with pytest.raises(ConfigError, match="even first and an odd last"):
        descriptors.open_rtp_range("127.0.0.1", first, last)


def test_a_taken_port_is_refused_by_name_and_nothing_stays_open() -> None:
    with descriptors.open_udp("127.0.0.1", 22042):
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(ConfigError, match=r"udp:127.0.0.1:22042"):
            descriptors.open_rtp_range("127.0.0.1", 22040, 22043)
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_too_few_descriptors_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(descriptors, "open_udp", none_left)
    with pytest.raises(ConfigError, match="Too many open files; raise the limit"):
        descriptors.open_rtp_range("127.0.0.1", 22010, 22011)


def test_the_soft_limit_follows_the_need_up_to_the_hard_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
    try:
        descriptors.raise_descriptor_limit(700)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 700
        descriptors.raise_descriptor_limit(600)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 700
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_deaf_port_keeps_nothing_and_a_hearing_one_everything(ports: list[socket.socket]) -> None:
    port = ports[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.sendto(b"to a deaf port", port.getsockname())
        assert descriptors.drain(port) == 0
        descriptors.undeafen(port)
        phone.sendto(b"heard", port.getsockname())
        assert port.recv(100) == b"heard"
        phone.sendto(b"waiting while the call ends", port.getsockname())
        descriptors.deafen(port)
        descriptors.undeafen(port)
        with pytest.raises(BlockingIOError):
            port.recv(100)


def test_sockets_arrive_by_port_number(ports: list[socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "BATCH", 4)
    ours, theirs = descriptors.channel_pair()
    with ours, theirs:
        descriptors.send_sockets(ours, ports)
        got = descriptors.receive_sockets(theirs)
    assert sorted(got) == list(range(22000, 22006))
    assert all(got[port].getsockname()[1] == port for port in got)
    for sock in got.values():
        sock.close()


def test_the_channel_keeps_message_boundaries() -> None:
    ours, theirs = descriptors.channel_pair()
    with ours, theirs:
        ours.send(b"one")
        ours.send(b"two")
        assert [theirs.recv(100), theirs.recv(100)] == [b"one", b"two"]


def test_a_memory_file_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        number = descriptors.memory_file("test")
        os.write(number, b"kept")
        assert os.pread(number, 10, 0) == b"kept"
        os.close(number)
        monkeypatch.delattr(os, "memfd_create", raising=False)


def test_a_taken_sip_port_names_itself() -> None:
    with descriptors.open_tcp("127.0.0.1", 22020), descriptors.open_udp("127.0.0.1", 22020):
        with pytest.raises(ConfigError, match=r"listen tcp:127.0.0.1:22020: Address already in use"):
            descriptors.open_tcp("127.0.0.1", 22020)
        with pytest.raises(ConfigError, match=r"listen udp:127.0.0.1:22020"):
            descriptors.open_udp("127.0.0.1", 22020)


def test_an_ipv6_host_gets_an_ipv6_socket() -> None:
    with descriptors.open_udp("::1", 22022) as sock:
        assert sock.family == socket.AF_INET6
