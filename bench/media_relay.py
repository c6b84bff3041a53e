"""CPU per relayed packet of the media process, and calls without loss on one core.

`python bench/media_relay.py [--calls 100,300,600] [--seconds 4]`: starts the real media process on loopback, sends
50 packets a second each way per call from this process, reads the relay's CPU time from /proc. JSON lines.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sip_bridge.descriptors import channel_pair, memory_file, open_rtp_range, raise_descriptor_limit, send_sockets  # noqa: E402
from sip_bridge.link.wire import WhisperChunk, whisper_frame  # noqa: E402

FIRST_PORT = 22000
PHONE_SOCKETS = 8
PAYLOAD = bytes(range(160))


def cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


class Bench:
    def __init__(self, calls: int, core: int, tap: bool, whispers: int) -> None:
        self.calls = calls
        legs = 2 * calls
        raise_descriptor_limit(2 * legs * 2 + 200)
        self.sockets = open_rtp_range("127.0.0.1", FIRST_PORT, FIRST_PORT + 2 * legs - 1)
        self.control, theirs = channel_pair()
        feeder, receiver = channel_pair()
        state = memory_file("bench")
        numbers = {"control": theirs.fileno(), "state": state, "sockets": receiver.fileno()}
        arguments = [text for name, number in numbers.items() for text in (f"--{name}-fd", str(number))]
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), sys.executable, "-m", "sip_bridge.media.host", *arguments],
            pass_fds=tuple(numbers.values()),
            cwd=ROOT,
        )
        send_sockets(feeder, self.sockets)
        self.phones = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(PHONE_SOCKETS)]
        for index, phone in enumerate(self.phones):
            phone.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            phone.bind(("127.0.0.1", 22980 + index))
            phone.setblocking(False)
        self.whispers = whispers
        self._whisper_seq = 0
        self.commands(tap)
        self.received = 0
        self.frames = 0

    def commands(self, tap: bool) -> None:
        if tap:
            self.command({"cmd": "tap", "on": True})
        for leg in range(2 * self.calls):
            self.command(
                {
                    "cmd": "open",
                    "leg": leg,
                    "port": FIRST_PORT + 2 * leg,
                    "role": "customer" if leg & 1 else "agent",
                    "peer": leg ^ 1,
                    "segment": "",
                }
            )
            self.command(
                {
                    "cmd": "set",
                    "leg": leg,
                    "remote": ["127.0.0.1", 22980 + leg % PHONE_SOCKETS],
                    "codecs": {"0": "PCMU"},
                    "ptime": 20,
                }
            )

    def command(self, members: dict[str, Any]) -> None:
        self.control.setblocking(True)
        self.control.send(json.dumps(members).encode())
        self.control.setblocking(False)

    def whisper(self, tick: int) -> None:
        self._whisper_seq = (self._whisper_seq + 1) & 0xFFFF
        for call in range(self.whispers):
            if tick % 25 == 0:
                self.command(
                    {
                        "cmd": "grant",
                        "session": call,
                        "leg": 2 * call,
                        "customer_leg": 2 * call + 1,
                        "mode": "whisper",
                        "counter": tick,
                        "ttl_ms": 2000,
                    }
                )
            self.control.send(whisper_frame(WhisperChunk(call, self._whisper_seq, 0, PAYLOAD)))

    def run(self, seconds: float) -> dict[str, float]:
        legs = 2 * self.calls
        slots: list[list[int]] = [[] for _ in range(20)]
        for leg in range(legs):
            slots[leg * 20 // legs].append(leg)
        started = time.monotonic() + 0.5
        warm = 1.0
        pid = self.process.pid
        sent = 0
        cpu = wall = 0.0
        ticks = int((seconds + warm) * 50)
        selector = selectors.DefaultSelector()
        for phone in (*self.phones, self.control):
            selector.register(phone, selectors.EVENT_READ)
        for tick in range(ticks):
            if tick == int(warm * 50):
                cpu, wall = cpu_seconds(pid), time.monotonic()
                self.received = sent = 0
            if self.whispers:
                self.whisper(tick)
            for index, slot in enumerate(slots):
                due = started + tick / 50 + index / 1000
                while (left := due - time.monotonic()) > 0:
                    time.sleep(left)
                for leg in slot:
                    header = bytes((0x80, 0)) + (tick & 0xFFFF).to_bytes(2) + (tick * 160).to_bytes(4) + b"abcd"
                    phone = self.phones[leg % PHONE_SOCKETS]
                    phone.sendto(header + PAYLOAD, ("127.0.0.1", FIRST_PORT + 2 * leg))
                sent += len(slot)
                self.take()
        cpu, wall = cpu_seconds(pid) - cpu, time.monotonic() - wall
        counted = self.received
        time.sleep(0.2)
        self.take()
        return {
            "us_packet": cpu * 1e6 / max(1, counted),
            "core": cpu / wall,
            "lost": max(0, sent - self.received),
            "sent": sent,
            "wall": wall,
        }

    def take(self) -> None:
        for phone in self.phones:
            while True:
                try:
                    data = phone.recv(2048)
                except BlockingIOError:
                    break
                self.received += data[1] < 192
        while True:
            try:
                self.control.recv(65536)
                self.frames += 1
            except BlockingIOError:
                break

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(5)
        for sock in (*self.sockets, *self.phones, self.control):
            sock.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", default="100,240")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--core", type=int, default=1)
    parser.add_argument("--no-tap", action="store_true")
    parser.add_argument("--whispers", type=int, default=0)
    options = parser.parse_args()
    for calls in map(int, options.calls.split(",")):
        bench = Bench(calls, options.core, not options.no_tap, options.whispers)
        try:
            got = bench.run(options.seconds)
        finally:
            bench.close()
        conditions = (
            f"{calls} calls, {got['sent'] / got['wall']:.0f} packets/s sent, PCMU 20 ms, loopback, "
            f"tap {'off' if options.no_tap else 'on'}, {options.whispers} whispered calls, "
            f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores"
        )
        figures = (
            ("media_cpu_per_packet", got["us_packet"], "us", 9.0, "rtpengine 10.5 userspace", 9.0),
            ("media_core_share", got["core"], "cores", None, None, None),
            ("media_packets_lost", got["lost"], "packets", 0, None, None),
        )
        for name, value, unit, goal, peer, peer_value in figures:
            line = {
                "name": name,
                "value": round(value, 3),
                "unit": unit,
                "goal": goal,
                "peer": peer,
                "peer_value": peer_value,
                "conditions": conditions,
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
