"""SIPp sets up 20 calls a second through the bridge, sound runs both ways in each, and every payload is compared.

SIPp signals and tells, by its own log, to which port each call's sound has to go; the sound itself is this test's, one
second each way, so that what arrives can be held against what was sent: the same bytes, in the same order, in the same
call. Once without loss, and once with 5 % of all messages lost at both ends of SIPp and 5 % of the sound before it
reaches the bridge.
"""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from tests.bridge_process import BridgeProcess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.interop,
    pytest.mark.needs("sipp"),
]

SIP, METRICS, UAC, UAS, NEAR, FAR = 26001, 26002, 26010, 26020, 26030, 26034
CALLS, RATE, PACKETS = 100, 20, 50
# 50 packets take a second; calls wait for each other on a loaded machine.
TALK_MS = 2500
HEADERS = """
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]a[call_number]
      To: agent <sip:agent@[remote_ip]:[remote_port]>{tag}
      Call-ID: [call_id]
      CSeq: {cseq}
      Contact: sip:sipp@[local_ip]:[local_port]
      Max-Forwards: 70
      X-Number: [call_number]"""
SDP = """
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=- 1 1 IN IP4 [local_ip]
      s=-
      c=IN IP4 [local_ip]
      t=0 0
      m=audio {port} RTP/AVP 0
      a=rtpmap:0 PCMU/8000
"""
REPLY = """
      SIP/2.0 {status}
      [last_Via:]
      [last_From:]
      [last_To:]{tag}
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:[local_ip]:[local_port]>"""
EMPTY = "\n      Content-Length: 0\n"
NOTE_PORT = '<ereg regexp="m=audio ([0-9]+)" search_in="body" check_it="true" assign_to="1,2"/>'


def send(text: str, retrans: bool = True) -> str:
    again = ' retrans="500"' if retrans else ""
    return f"<send{again}><![CDATA[\n{text}\n]]></send>"


def caller() -> str:
    def request(method: str, cseq: str, tag: str, rest: str) -> str:
        to = "sip:agent@[remote_ip]:[remote_port]"
        return f"\n      {method} {to} SIP/2.0" + HEADERS.format(cseq=f"{cseq} {method}", tag=tag) + rest

    return "\n".join(
        [
            '<scenario name="caller">',
            send(request("INVITE", "1", "", SDP.format(port=NEAR))),
            '<recv response="100" optional="true"/><recv response="180" optional="true"/>',
            f'<recv response="200"><action>{NOTE_PORT}<log message="[call_number] [$2]"/></action></recv>',
            send(request("ACK", "1", "[peer_tag_param]", EMPTY), retrans=False),
            f'<pause milliseconds="{TALK_MS}"/>',
            send(request("BYE", "2", "[peer_tag_param]", EMPTY)),
            '<recv response="200"/><Reference variables="1"/></scenario>',
        ]
    )


def callee() -> str:
    number = '<ereg regexp="[0-9]+" search_in="hdr" header="X-Number:" check_it="true" assign_to="3"/>'
    tag = ";tag=[pid]b[call_number]"
    return "\n".join(
        [
            '<scenario name="callee">',
            f'<recv request="INVITE"><action>{NOTE_PORT}{number}<log message="[$3] [$2]"/></action></recv>',
            send(REPLY.format(status="180 Ringing", tag=tag) + EMPTY, retrans=False),
            send(REPLY.format(status="200 OK", tag=tag) + SDP.format(port=FAR)),
            '<recv request="ACK" optional="true"/><recv request="BYE"/>',
            send(REPLY.format(status="200 OK", tag="") + EMPTY, retrans=False),
            '<timewait milliseconds="4000"/><Reference variables="1"/></scenario>',
        ]
    )


class Sound(asyncio.DatagramProtocol):
    """One end of the sound of all calls; which call a packet belongs to is told by the bridge's port."""

    def __init__(self, name: bytes, loss: float) -> None:
        self.name = name
        self.sent: dict[int, list[bytes]] = defaultdict(list)
        """By number of the call."""
        self.heard: dict[int, list[bytes]] = defaultdict(list)
        """By port of the bridge."""
        self._loss = loss
        self._random = random.Random(name)

    async def open(self, port: int) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # What one second of all calls brings may wait here while this process is not given a core.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind(("127.0.0.1", port))
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=sock)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data[1] & 0x7F == 0 and data[0] == 0x80:
            self.heard[addr[1]].append(data[12:])

    def speak(self, number: int, at: int, port: int) -> None:
        payload = b"%s%05d%03d" % (self.name, number, at)
        payload += random.Random(payload).randbytes(160 - len(payload))
        if self._random.random() >= self._loss:
            self.sent[number].append(payload)
            head = struct.pack(">BBHII", 0x80, 0, 65500 + at & 0xFFFF, 160 * at, number << 8 | self.name[0])
            self.transport.sendto(head + payload, ("127.0.0.1", port))


class Ports(dict[int, int]):
    """The bridge's port of each call, as SIPp's log tells them."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = log

    def look(self) -> None:
        if self._log.exists():
            for number, port in re.findall(r"^(\d+) (\d+)$", self._log.read_text(), re.MULTILINE):
                self[int(number)] = int(port)


async def talk(near: Sound, far: Sound, near_ports: Ports, far_ports: Ports, done: asyncio.Event) -> None:
    """Speak in every call that is up, 20 ms after 20 ms, until each has said its second."""
    clock = asyncio.get_running_loop().time
    said: dict[int, int] = defaultdict(int)
    due = clock()
    while not done.is_set():
        near_ports.look()
        far_ports.look()
        for number in near_ports.keys() & far_ports.keys():
            if (at := said[number]) < PACKETS:
                near.speak(number, at, near_ports[number])
                far.speak(number, at, far_ports[number])
                said[number] += 1
        due += 0.02
        await asyncio.sleep(max(0.0, due - clock()))


def sipp(folder: Path, name: str, scenario: str, loss: int, *more: str) -> subprocess.Popen[bytes]:
    (folder / f"{name}.xml").write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{scenario}\n')
    command = ["sipp", "-sf", f"{name}.xml", "-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin", "-nd"]
    command += ["-trace_logs", "-log_file", f"{name}.log", "-timeout", "40", *more]
    command += ["-lost", str(loss)] if loss else []
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.mark.parametrize("loss", [0, 5])
async def test_twenty_calls_a_second_with_sound(tmp_path: Path, loss: int) -> None:
    arguments = [
        "--listen", f"udp:127.0.0.1:{SIP}", "--route", f"127.0.0.1:{UAS}", "--phones-side", "route", "--no-tap",
        "--rtp-ports", "26100-26899", "--rtp-host", "127.0.0.1",
    ]  # fmt: skip
    near, far = Sound(b"up", loss / 100), Sound(b"dn", loss / 100)
    await near.open(NEAR)
    await far.open(FAR)
    near_ports, far_ports = Ports(tmp_path / "caller.log"), Ports(tmp_path / "callee.log")
    async with BridgeProcess(arguments, METRICS, tmp_path / "bridge.log") as bridge:
        uas = sipp(tmp_path, "callee", callee(), loss, "-p", str(UAS))
        done = asyncio.Event()
        try:
            await asyncio.sleep(0.5)
            uac = sipp(
                tmp_path, "caller", caller(), loss, f"127.0.0.1:{SIP}", "-p", str(UAC), "-m", str(CALLS),
                "-r", str(RATE),
            )  # fmt: skip
            async with asyncio.TaskGroup() as group:
                group.create_task(talk(near, far, near_ports, far_ports, done))
                out, _ = await asyncio.to_thread(uac.communicate)
                done.set()
        finally:
            uas.kill()
            await asyncio.to_thread(uas.communicate)
        assert uac.returncode == 0, out[-2000:]
        await bridge.until("livemon_bridge_calls_active", 0, 40)
        figures = await bridge.figures()
    near.transport.close()
    far.transport.close()
    assert len(near_ports) == len(far_ports) == CALLS
    for number in range(1, CALLS + 1):
        assert far.heard[far_ports[number]] == near.sent[number]
        assert near.heard[near_ports[number]] == far.sent[number]
    packets = sum(map(len, near.sent.values())) + sum(map(len, far.sent.values()))
    assert packets > 2 * CALLS * PACKETS * (0.98 - loss / 100)
    assert sum(map(len, near.heard.values())) + sum(map(len, far.heard.values())) == packets
    assert not any(name.startswith("livemon_bridge_not_anchored_total") for name in figures)
