"""A relay with two phones in virtual time, for tests: what each phone sends, what each ear gets."""

from __future__ import annotations

import json
import random
from typing import Any, NamedTuple

from sip_bridge.link import wire
from sip_bridge.media import rtp
from sip_bridge.media.commands import Address
from sip_bridge.media.g711 import Law, encode
from sip_bridge.media.outbound import Send
from sip_bridge.media.relay import Relay
from sip_bridge.media.state import StateFile

MS = 1_000_000
AGENT, CUSTOMER = 1, 2
AGENT_PORT, CUSTOMER_PORT = 22000, 22002
PHONES: dict[int, Address] = {AGENT: ("10.0.0.1", 4000), CUSTOMER: ("10.0.0.2", 5000)}
STRANGER: Address = ("127.0.0.2", 6666)
G711: dict[str, str] = {"0": "PCMU", "8": "PCMA", "101": "telephone-event", "13": "CN"}


class Sent(NamedTuple):
    """One datagram that left the relay."""

    at: int
    port: int
    data: bytes
    address: Address

    @property
    def rtp(self) -> rtp.Packet:
        packet = rtp.parse(self.data)
        assert isinstance(packet, rtp.Packet), packet
        return packet


class Wire:
    """Ports that remember what is sent."""

    def __init__(self) -> None:
        self.now = 0
        self.sent: list[Sent] = []
        self.heard: dict[int, int] = {}
        self.broken = False

    def open(self, port: int, leg: int) -> tuple[Send, Send] | None:
        if not 22000 <= port < 23000:
            return None
        self.heard[port] = leg
        return self._sender(port), self._sender(port + 1)

    def close(self, port: int) -> None:
        del self.heard[port]

    def _sender(self, port: int) -> Send:
        def send(data: memoryview | bytes, address: Address, /) -> object:
            if self.broken:
                raise OSError(101, "Network is unreachable")
            self.sent.append(Sent(self.now, port, bytes(data), address))
            return len(data)

        return send


class Phone:
    """A phone that numbers its packets."""

    def __init__(self, seed: int, law: Law = Law.PCMU) -> None:
        self._random = random.Random(seed)
        self.law = law
        self.seq = self._random.randrange(1 << 16)
        self.timestamp = self._random.randrange(1 << 32)
        self.ssrc = self._random.randrange(1 << 32)

    def noise(self, samples: int = 160) -> bytes:
        """Return a payload no other packet has."""
        return self._random.randbytes(samples)

    def packet(
        self, payload: bytes | None = None, *, payload_type: int | None = None, marker: bool = False, skip: int = 0
    ) -> bytes:
        """Return the next packet; `skip` leaves out sequence numbers, as loss does."""
        payload = self.noise() if payload is None else payload
        kind = int(self.law) if payload_type is None else payload_type
        self.seq = (self.seq + 1 + skip) & 0xFFFF
        self.timestamp = (self.timestamp + (1 + skip) * len(payload)) & 0xFFFFFFFF
        return rtp.build(rtp.Packet(self.seq, self.timestamp, self.ssrc, kind, marker, payload))

    def pause(self, samples: int) -> None:
        """Let the phone's clock run on without packets."""
        self.timestamp = (self.timestamp + samples) & 0xFFFFFFFF


class Play:
    """One call on a relay."""

    def __init__(self, *, seed: int = 1, memory: bytearray | None = None, open_call: bool = True, **relay: Any) -> None:
        self._random = random.Random(seed)
        self.wire = Wire()
        self.memory = bytearray(16 * 2048) if memory is None else memory
        self.relay = Relay(
            self._random.randrange(1, 1 << 32),
            self.wire,
            self._random.randbytes,
            state=StateFile(self.memory),
            first_port=22000,
            **relay,
        )
        self.now = 10_000 * MS
        self.agent, self.customer = Phone(seed + 100), Phone(seed + 200)
        self.frames: list[bytes] = []
        self._whisper_seq = 0
        if open_call:
            self.open()

    def open(self, **members: Any) -> None:
        """Open both legs; `members` go into both `set` commands."""
        self.do("open", leg=AGENT, port=AGENT_PORT, role="agent", peer=CUSTOMER, segment="s")
        self.do("open", leg=CUSTOMER, port=CUSTOMER_PORT, role="customer", peer=AGENT, segment="s")
        self.set(AGENT, **members)
        self.set(CUSTOMER, **members)

    def do(self, cmd: str, **members: Any) -> None:
        """Give a command."""
        self.wire.now = self.now
        self.relay.command(json.dumps({"cmd": cmd, **members}).encode(), self.now)

    def set(self, leg: int, **members: Any) -> None:
        """Give a `set` command, with the phone's address and G.711 unless said otherwise."""
        self.do("set", **{"leg": leg, "remote": list(PHONES[leg]), "codecs": G711, "ptime": 20, **members})

    def grant(self, counter: int, mode: str = "whisper", session: int = 7, ttl_ms: int = 2000) -> None:
        """Ask for a grant."""
        self.do("grant", session=session, leg=AGENT, customer_leg=CUSTOMER, mode=mode, counter=counter, ttl_ms=ttl_ms)

    def whisper(self, linear: bytes, session: int = 7) -> None:
        """Send a chunk of supervisor audio (16 bit linear)."""
        self._whisper_seq = (self._whisper_seq + 1) & 0xFFFF
        payload = encode(linear, Law.PCMU)
        self.wire.now = self.now
        self.relay.whisper(wire.whisper_frame(wire.WhisperChunk(session, self._whisper_seq, 0, payload)), self.now)

    def feed(self, leg: int, data: bytes, source: Address | None = None) -> list[Sent]:
        """Let a datagram arrive at a leg; return what it made the relay send."""
        before = len(self.wire.sent)
        self.wire.now = self.now
        self.relay.feed(leg, data, PHONES[leg] if source is None else source, self.now)
        return self.wire.sent[before:]

    def wait(self, ms: float) -> list[Sent]:
        """Let time pass, looking at the relay's clock every ms; return what it sent."""
        before = len(self.wire.sent)
        end = self.now + round(ms * MS)
        while self.now < end:
            self.now = min(end, self.now + MS)
            self.wire.now = self.now
            self.frames += self.relay.tick(self.now)
        return self.wire.sent[before:]

    def ear(self, leg: int) -> list[Sent]:
        """Return the RTP a phone has been sent so far."""
        port = AGENT_PORT if leg == AGENT else CUSTOMER_PORT
        return [sent for sent in self.wire.sent if sent.port == port and not 192 <= sent.data[1] <= 223]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the events of one name so far."""
        return [event for event in self.relay.events if event["ev"] == name]

    def tapped(self) -> list[wire.TapPacket]:
        """Return the packets on the tap so far."""
        return [packet for frame in self._decoded() for packet in frame.packets]

    def rows(self, leg: int) -> list[wire.TapRow]:
        """Return the rows of a leg so far."""
        return [row for frame in self._decoded() for row in frame.rows if row.leg == leg]

    def _decoded(self) -> list[wire.TapFrame]:
        frames = [wire.decode(frame) for frame in self.frames]
        assert all(isinstance(frame, wire.TapFrame) for frame in frames)
        return [frame for frame in frames if isinstance(frame, wire.TapFrame)]
