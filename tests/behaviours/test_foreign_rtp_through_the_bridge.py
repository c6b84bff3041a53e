"""RTP from a stranger through a whole bridge: no ear hears it, no supervisor either, and nothing is answered.

500 packets at each leg, from 127.0.0.2 and from a wrong port of the phone's own address, in every phase of a call:
while it rings, before the first sound, steady, on hold and after the re-INVITE that ends it. Then a spray of odd
datagrams over the whole range of RTP ports. What both phones and the listening supervisor got is what was said, packet
for packet, the strangers got no answer, and no other port is open than those that are meant to be.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import subprocess
from collections.abc import AsyncIterator

import pytest

from tests.house import HOST, House, Plan, free_base, house
from tests.listening import tone
from tests.softphone import Call, Softphone

pytestmark = pytest.mark.slow

BASE = free_base(31800, 32700)
AGENT, CUSTOMER = BASE + 70, BASE + 74
STRANGERS = (("127.0.0.2", BASE + 90), (HOST, BASE + 91))
MARK = b"\x2a" * 160
CLIENT_HELLO = b"\x16\xfe\xfd" + bytes(60)
STUN = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)
SPRAY = (b"", b"\x80", b"\x80\0" + bytes(10), b"\x80\xc9\0\0", CLIENT_HELLO, STUN)
PACKETS = 250
"""Of each stranger at each leg."""


@pytest.fixture
async def home() -> AsyncIterator[House]:
    async with house(Plan(BASE, phones_route=f"udp:{HOST}:{AGENT}")) as made:
        yield made


class Slow(Softphone):
    """A phone that rings until it is told to answer."""

    def __init__(self, sip_port: int, rtp_port: int, server: tuple[str, int], user: str) -> None:
        super().__init__(HOST, sip_port, rtp_port, server, user)
        self.rings = asyncio.Event()
        self.picked_up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def _on_request(self, message: str, key: tuple[str, str], source: tuple[str, int]) -> None:
        if not message.startswith("INVITE") or key[0] in self.calls:
            super()._on_request(message, key, source)
            return
        if self._task is None:
            self.rings.set()
            self._task = asyncio.get_running_loop().create_task(self._later(message, key, source))

    async def _later(self, message: str, key: tuple[str, str], source: tuple[str, int]) -> None:
        await self.picked_up.wait()
        super()._on_request(message, key, source)


class Strangers:
    """The attackers' sockets."""

    def __init__(self) -> None:
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in STRANGERS]
        for sock, address in zip(self.sockets, STRANGERS, strict=True):
            sock.setblocking(False)
            sock.bind(address)
        self.sent = 0

    def got(self) -> list[bytes]:
        """Return what was sent to the strangers."""
        found = []
        for sock in self.sockets:
            try:
                while True:
                    found.append(sock.recv(2048))
            except BlockingIOError:
                continue
        return found

    async def attack(self, ports: list[int]) -> None:
        """Send RTP that looks right: sequence numbers and timestamps that go on, and the marker that says listen."""
        for at in range(PACKETS):
            for port in ports:
                for sock in self.sockets:
                    head = struct.pack(">BBHII", 0x80, 0x80 * (at == 0), at, 160 * at, 666)
                    sock.sendto(head + MARK, (HOST, port))
                    self.sent += 1
            if at % 25 == 24:
                await asyncio.sleep(0.01)

    async def spray(self, ports: range) -> None:
        """Send every odd datagram to every port."""
        for port in ports:
            for data in SPRAY:
                self.sockets[0].sendto(data, (HOST, port))
            await asyncio.sleep(0.002)


def numbered(name: bytes, at: int) -> bytes:
    """Return a loud packet that says which one it is."""
    return name + b"%05d" % at + tone(440 if name == b"a" else 1000, 160 * at, 154)


class Talk:
    """Both phones speak, packet by numbered packet."""

    def __init__(self, pairs: list[tuple[bytes, Softphone, Call]]) -> None:
        self._pairs = pairs
        self.said = 0

    async def run(self, seconds: float) -> None:
        clock = asyncio.get_running_loop().time
        began, first = clock(), self.said
        while self.said - first < seconds * 50:
            for name, phone, call in self._pairs:
                phone.speak(call, numbered(name, self.said), 160 * self.said)
            self.said += 1
            await asyncio.sleep(max(0.0, began + 0.02 * (self.said - first) - clock()))


def sockets_of(first: int, last: int) -> set[int]:
    """Return the UDP ports of a range that somebody has open."""
    out = subprocess.run(["ss", "-Hlun"], capture_output=True, text=True, check=True).stdout
    ports = {int(found) for found in re.findall(r"127\.0\.0\.\d+:(\d+)\s", out)}
    return {port for port in ports if first <= port <= last}


async def test_in_no_phase_of_a_call(home: House) -> None:
    server, strangers = (HOST, BASE), Strangers()
    expected = {BASE, BASE + 3, *home.plan.rtp}
    async with (
        home.desk() as desk,
        Slow(AGENT, AGENT + 2, server, "201") as agent,
        Softphone(HOST, CUSTOMER, CUSTOMER + 2, server, "customer") as customer,
        asyncio.TaskGroup() as group,
    ):
        calling = group.create_task(customer.call(f"sip:201@{HOST}:{BASE}"))
        await agent.rings.wait()
        # The port of the agent's leg is known to whoever saw the INVITE; the other one may be any.
        await strangers.attack(list(home.plan.rtp)[:8:2])
        agent.picked_up.set()
        call = await calling
        (theirs,) = agent.calls.values()
        assert call.media is not None and theirs.media is not None
        ports = [call.media[1], theirs.media[1]]
        await strangers.attack(ports)
        talk = Talk([(b"c", customer, call), (b"a", agent, theirs)])
        (view,) = await desk.calls(1)
        async with desk.listen(view["id"]) as ears:
            await asyncio.gather(talk.run(2.0), strangers.attack(ports))
            assert "a=recvonly" in await call.reinvite("sendonly")
            await strangers.attack(ports)
            assert "a=sendrecv" in await call.reinvite("sendrecv")
            await strangers.attack(ports)
            await asyncio.gather(talk.run(2.0), strangers.attack(ports), strangers.spray(home.plan.rtp))
            await asyncio.sleep(0.3)
            assert sockets_of(BASE, BASE + 59) == expected
            for name, phone in ((b"c", agent), (b"a", customer)):
                assert [one.payload for one in phone.heard] == [numbered(name, at) for at in range(talk.said)]
            for slot, name in ((0, b"a"), (1, b"c")):
                heard = ears.heard[slot]
                assert heard and set(heard) <= {numbered(name, at) for at in range(talk.said)}
            await ears.close()
        assert strangers.got() == []
        # The media process tells its counters every few seconds. The six packets of each spray that found one of the
        # call's four ports are among them.
        async with asyncio.timeout(20):
            while (await home.figures())['livemon_bridge_media_total{kind="dropped_foreign"}'] < 5 * 4 * PACKETS * 0.9:
                await asyncio.sleep(0.2)
        assert await call.bye() == "SIP/2.0 200 OK"
    for sock in strangers.sockets:
        sock.close()
