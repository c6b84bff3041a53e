"""One call of the demo while it is up: both phones' RTP sockets, their mouths and ears, and the cues of the script."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from dataclasses import dataclass
from functools import partial

from livemon.demo.handset import Ear, Mouth
from livemon.demo.schedule import NextCall
from livemon.demo.track import RATE, Conversation, Cue
from livemon.demo.useragent import UaCall
from sip_bridge.media.g711 import Law, decode, encode

_encode = partial(encode, law=Law.PCMU)
_decode = partial(decode, law=Law.PCMU)


class RtpSocket:
    """A phone's RTP socket: what arrives goes to its ear at once."""

    def __init__(self, host: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((host, 0))
        self.port: int = self._socket.getsockname()[1]
        self.ear: Ear | None = None
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    def send(self, datagram: bytes, to: tuple[str, int]) -> None:
        """Send one packet; what the network refuses is lost, as on any network."""
        try:
            self._socket.sendto(datagram, to)
        except OSError:
            return

    def close(self) -> None:
        """Give the port back."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def _readable(self) -> None:
        try:
            datagram = self._socket.recv(2048)
        except OSError:
            return
        if self.ear is not None:
            self.ear.hear(datagram)


@dataclass(slots=True)
class Party:
    """One phone in a call."""

    rtp: RtpSocket
    mouth: Mouth
    ear: Ear
    call: UaCall | None = None

    def speak(self) -> None:
        """Send the next 20 ms, unless the other side listens no more."""
        muted = self.call is None or self.call.remote_rtp is None or not self.call.remote_listens
        packet = self.mouth.packet(muted)
        if packet is not None and self.call is not None and self.call.remote_rtp is not None:
            self.rtp.send(packet, self.call.remote_rtp)


class LiveCall:
    """A conversation being played between an agent's and a customer's phone."""

    def __init__(self, plan: NextCall, conversation: Conversation, host: str) -> None:
        self.plan = plan
        self.conversation = conversation
        seed = plan.seed
        agent = Mouth(conversation.agent, _encode, seed & 0xFFFFFFFF)
        customer = Mouth(conversation.customer, _encode, seed + 1 & 0xFFFFFFFF)
        self.agent = Party(RtpSocket(host), agent, Ear(_decode, customer))
        self.customer = Party(RtpSocket(host), customer, Ear(_decode, agent))
        for party in (self.agent, self.customer):
            party.rtp.ear = party.ear
        self._cues = deque(conversation.cues)

    @property
    def inbound(self) -> bool:
        """Whether the customer calls."""
        return self.conversation.script.direction == "inbound"

    @property
    def up(self) -> bool:
        """Whether both phones are in the call."""
        return self.agent.call is not None and self.customer.call is not None

    @property
    def finished(self) -> bool:
        """Whether the conversation was played to its end."""
        return self.agent.mouth.finished

    def speak(self) -> list[Cue]:
        """Let both phones send their next 20 ms; return the cues that are due."""
        self.agent.speak()
        self.customer.speak()
        due: list[Cue] = []
        while self._cues and self._cues[0].at <= self.agent.mouth.position_s * RATE:
            due.append(self._cues.popleft())
        return due

    def heard(self) -> dict[str, str | float | int | bool]:
        """Return what both parties hear, measured at their phones (levels in dBFS)."""
        return {
            "agent": self.plan.agent.name,
            "customer": self.plan.customer,
            "agent_hears_dbfs": round(self.agent.ear.dbfs, 1),
            "customer_hears_dbfs": round(self.customer.ear.dbfs, 1),
            "whisper_found": self.agent.ear.hears_another,
            "customer_hears_another": self.customer.ear.hears_another,
            "customer_packets": self.customer.ear.packets,
            "customer_foreign_packets": self.customer.ear.foreign,
        }

    def close(self) -> None:
        """Give both RTP ports back."""
        self.agent.rtp.close()
        self.customer.rtp.close()
