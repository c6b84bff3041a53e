"""The UDP port on a real socket."""

from __future__ import annotations

import asyncio
import socket

import pytest

from livemon.listen import stun, udp
from livemon.listen.icelite import Address
from livemon.listen.udp import UdpPort


class Peer:
    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.dead = 0

    def on_datagram(self, data: bytes) -> None:
        self.data.append(data)

    def on_selected(self, address: Address) -> None:
        """Nothing to do."""

    def on_dead(self) -> None:
        self.dead += 1


async def until(condition: object) -> None:
    async with asyncio.timeout(3):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


async def test_checks_are_answered_and_data_is_delivered() -> None:
    port = UdpPort.bind("127.0.0.1", 0)
    peer = Peer()
    agent = port.open(peer)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as browser:
        browser.setblocking(False)
        browser.sendto(b"", ("127.0.0.1", port.port))
        for n in range(100):
            browser.sendto(stun.request(bytes(12), f"{agent.ufrag}:r", agent.password, True), ("127.0.0.1", port.port))
            browser.sendto(b"\x16" + bytes([n]), ("127.0.0.1", port.port))
        await until(lambda: len(peer.data) == 100)
        assert browser.recv(200)[:2] == b"\x01\x01"
        assert port.send(b"hello", browser.getsockname())
    assert port.mux.counters.refused == {"empty": 1}
    assert port.mux.counters.sent == 101
    port.close()


async def test_a_datagram_that_cannot_be_sent_is_counted() -> None:
    port = UdpPort.bind("127.0.0.1", 0, ["192.0.2.1"])
    assert port.advertise == ("192.0.2.1",)
    assert not port.send(bytes(70_000), ("127.0.0.1", 9))
    assert port.mux.counters.refused == {"send_OSError": 1}
    port.close()


async def test_a_dead_browser_is_told_to_its_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "_SWEEP_S", 0.01)
    port = UdpPort.bind("127.0.0.1", 0)
    peer = Peer()
    agent = port.open(peer)
    check = stun.request(bytes(12), f"{agent.ufrag}:r", agent.password, True)
    port.mux.receive(check, ("127.0.0.1", 9), asyncio.get_running_loop().time() - 100)
    await until(lambda: peer.dead > 0)
    port.close()


async def test_the_hosts_own_addresses_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "get_host_addresses", lambda use_ipv4, use_ipv6: ["198.51.100.7"])
    port = UdpPort.bind("0.0.0.0", 0)
    assert port.advertise == ("198.51.100.7",)
    port.close()
    monkeypatch.setattr(udp, "get_host_addresses", lambda use_ipv4, use_ipv6: [])
    port = UdpPort.bind("0.0.0.0", 0)
    assert port.advertise == ("127.0.0.1",)
    port.close()


async def test_a_socket_error_on_reading_is_counted() -> None:
    port = UdpPort.bind("127.0.0.1", 0)

    class Broken:
        def recvfrom_into(self, buffer: bytearray, size: int) -> tuple[int, Address]:
            raise ConnectionRefusedError

    real = port._sock
    port._sock = Broken()  # type: ignore[assignment]
    port._readable()
    port._sock = real
    assert port.mux.counters.refused == {"receive_ConnectionRefusedError": 1}
    port.close()
