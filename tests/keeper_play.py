"""A real keeper with a real media process and a stand-in control, for tests over sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sip_bridge.media import rtp

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import sys
from sip_bridge.keeper import KeeperPlan, run
first, ports = int(sys.argv[1]), int(sys.argv[2])
sip = (("127.0.0.1", first + ports + 50),)
raise SystemExit(run(KeeperPlan(sip_udp=sip, sip_tcp=sip, rtp_host="127.0.0.1",
    rtp_first=first, rtp_last=first + ports - 1, control_args=tuple(sys.argv[3:]),
    control_module="tests.fake_control", drain_s=20)))
"""


class KeeperPlay:
    """A running bridge without SIP."""

    def __init__(
        self, first_port: int, ports: int, folder: Path, commands: list[dict[str, Any]], extra: tuple[str, ...]
    ) -> None:
        self.first_port = first_port
        script = folder / "script"
        self.log = folder / "log"
        script.write_text("\n".join(map(json.dumps, commands)))
        arguments = [str(first_port), str(ports), "--script", str(script), "--log", str(self.log), *extra]
        self.keeper = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT)

    def events(self, key: str, value: object = None) -> list[dict[str, Any]]:
        """Return the logged objects that have `key` (with this value, if one is given)."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        objects = [json.loads(line) for line in lines if line.endswith("}")]
        return [event for event in objects if key in event and value in (None, event[key])]

    def child(self, module: str) -> int:
        """Return the process id of the keeper's child that runs `module`, or 0."""
        for path in Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children").read_text().split():
            if module in Path(f"/proc/{path}/cmdline").read_text():
                return int(path)
        return 0

    def wait(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        """Wait until `condition` holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "not in time"
            time.sleep(0.02)


@contextmanager
def running(
    first_port: int, folder: Path, commands: list[dict[str, Any]], *extra: str, ports: int = 40
) -> Iterator[KeeperPlay]:
    """Run a bridge for the time of a test; its SIP port is the 51st after its RTP ports."""
    play = KeeperPlay(first_port, ports, folder, commands, extra)
    try:
        play.wait(lambda: play.events("ev", "hello") and play.child("media.host"))
        yield play
    finally:
        if play.keeper.poll() is None:
            play.keeper.send_signal(signal.SIGINT)
            play.keeper.wait(10)


class SocketPhone:
    """A phone with a real socket."""

    def __init__(self, port: int, bridge_port: int, host: str = "127.0.0.1") -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.sock.bind((host, port))
        self.sock.setblocking(False)
        self.bridge = ("127.0.0.1", bridge_port)
        self.seq = 0
        self.sent: list[bytes] = []
        self.got: list[tuple[float, rtp.Packet]] = []

    def __enter__(self) -> SocketPhone:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, payload: bytes | None = None) -> None:
        """Send the next packet."""
        payload = os.urandom(160) if payload is None else payload
        self.seq += 1
        self.sent.append(payload)
        self.sock.sendto(rtp.build(rtp.Packet(self.seq, self.seq * 160, 77, 0, False, payload)), self.bridge)

    def receive(self) -> int:
        """Take in everything that waits; return how many packets have come so far."""
        while True:
            try:
                data = self.sock.recv(2048)
            except BlockingIOError:
                return len(self.got)
            packet = rtp.parse(data)
            assert isinstance(packet, rtp.Packet)
            self.got.append((time.monotonic(), packet))


def call(first_port: int, phones: tuple[int, int], **members: Any) -> list[dict[str, Any]]:
    """Return the commands that open one call between phones on these loopback ports."""
    out: list[dict[str, Any]] = []
    for leg, role, port in ((1, "agent", phones[0]), (2, "customer", phones[1])):
        place = {"port": first_port + 2 * (leg - 1), "role": role, "peer": 3 - leg, "segment": "s"}
        out.append({"cmd": "open", "leg": leg, **place})
        codecs = {"0": "PCMU", "101": "telephone-event"}
        out.append({"cmd": "set", "leg": leg, "remote": ["127.0.0.1", port], "codecs": codecs, "ptime": 20, **members})
    return out
