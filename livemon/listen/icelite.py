"""ICE-lite for all supervisors on one UDP port (RFC 8445, 2.5), as a core without sockets or clock.

The browser does all the checking; we answer. Its candidates are never needed, because every address that passes
MESSAGE-INTEGRITY is peer-reflexive, so nothing waits for gathering and no mDNS name is resolved.

The source guard: a datagram that is not STUN is taken only from an address that has passed MESSAGE-INTEGRITY for
some agent. An empty datagram, junk, or a stranger's DTLS ClientHello never reaches a DTLS stack (ASVS 17.2.6).
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Protocol

from livemon.listen import stun

Address = tuple[str, int]

DEAD_AFTER_S: Final = 12.0
"""A browser checks every 2.5 s or so (RFC 7675 asks for one in 5 s); four missed ones mean it is gone."""
MAX_ADDRESSES: Final = 8
"""Validated addresses per agent: Safari sends from 2 or 3 at a time; more is a flood from one browser."""
_GENERATIONS: Final = 2
"""Credentials that answer: the newest, and those before the last ICE restart until the browser has moved."""


@dataclass(slots=True)
class Counters:
    """What the port has seen and refused; `refused` is by reason."""

    checks: int = 0
    datagrams: int = 0
    sent: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, reason: str) -> None:
        """Count one dropped datagram."""
        self.refused[reason] = self.refused.get(reason, 0) + 1


class IcePeer(Protocol):
    """Who stands behind an agent; called from `IceMux.receive`."""

    def on_datagram(self, data: bytes) -> None:
        """Take a DTLS, RTP or RTCP datagram from a validated address."""

    def on_selected(self, address: Address) -> None:
        """Take note of the address to send to from now on."""

    def on_dead(self) -> None:
        """Take note that the browser has stopped checking."""


class IceAgent:
    """One browser's connection: our credentials, the addresses that proved to know them, the one in use."""

    def __init__(self, peer: IcePeer, now: float) -> None:
        self.peer = peer
        self.credentials: OrderedDict[str, str] = OrderedDict()
        self.addresses: OrderedDict[Address, None] = OrderedDict()
        self.selected: Address | None = None
        self.last_check = now
        self.closed = False

    @property
    def ufrag(self) -> str:
        """The user name fragment of the newest generation."""
        return next(reversed(self.credentials))

    @property
    def password(self) -> str:
        """The password of the newest generation."""
        return self.credentials[self.ufrag]


class IceMux:
    """Sorts the datagrams of one port to agents, and answers their checks."""

    def __init__(self) -> None:
        self.counters = Counters()
        self._by_ufrag: dict[str, IceAgent] = {}
        self._by_address: dict[Address, IceAgent] = {}

    def __len__(self) -> int:
        return len(set(self._by_ufrag.values()))

    def open(self, peer: IcePeer, now: float) -> IceAgent:
        """Return a new agent with fresh credentials, opened at `now` in seconds."""
        agent = IceAgent(peer, now)
        self.restart(agent)
        return agent

    def restart(self, agent: IceAgent) -> None:
        """Give `agent` new credentials (RFC 8445, 2.4); the old ones still answer, but no longer choose the path."""
        # RFC 8445, 5.3: at least 24 bits of ufrag and 128 bits of password; hex is within ice-char.
        ufrag = secrets.token_hex(4)
        agent.credentials[ufrag] = secrets.token_hex(16)
        self._by_ufrag[ufrag] = agent
        while len(agent.credentials) > _GENERATIONS:
            old, _ = agent.credentials.popitem(last=False)
            del self._by_ufrag[old]

    def close(self, agent: IceAgent) -> None:
        """Forget `agent`: nothing more is answered or delivered for it."""
        agent.closed = True
        for ufrag in agent.credentials:
            self._by_ufrag.pop(ufrag, None)
        for address in agent.addresses:
            if self._by_address.get(address) is agent:
                del self._by_address[address]
        agent.addresses.clear()
        agent.selected = None

    def dead(self, now: float) -> list[IceAgent]:
        """Return the agents whose browser once connected and has not checked for `DEAD_AFTER_S`."""
        return [
            agent
            for agent in set(self._by_ufrag.values())
            if agent.selected is not None and now - agent.last_check > DEAD_AFTER_S
        ]

    def receive(self, data: bytes, address: Address, now: float) -> bytes | None:
        """Take one datagram in; return the answer to send back to `address`, if there is one."""
        self.counters.datagrams += 1
        if not data:
            self.counters.refuse("empty")
            return None
        first = data[0]
        # RFC 7983, 7: 0..3 STUN, 20..63 DTLS, 128..191 RTP and RTCP.
        if first < 4:
            return self._check(data, address, now)
        if not (20 <= first < 64 or 128 <= first < 192):
            self.counters.refuse("unknown_kind")
            return None
        agent = self._by_address.get(address)
        if agent is None:
            self.counters.refuse("unvalidated_source")
            return None
        agent.peer.on_datagram(data)
        return None

    def _check(self, data: bytes, address: Address, now: float) -> bytes | None:
        request = stun.parse(data)
        if isinstance(request, stun.BadStun):
            self.counters.refuse(request.reason)
            return None
        agent = self._by_ufrag.get(request.local)
        if agent is None:
            self.counters.refuse("unknown_ufrag")
            return None
        password = agent.credentials[request.local]
        if not request.is_signed_with(password):
            self.counters.refuse("bad_integrity")
            return None
        if request.unknown:
            return stun.error(request, 420, "Unknown Attribute", password)
        if request.controlled:
            # RFC 8445, 7.3.1.1: a lite agent is always controlled, so the other side must be controlling.
            return stun.error(request, 487, "Role Conflict", password)
        self.counters.checks += 1
        self._validate(agent, address)
        agent.last_check = now
        # A check with credentials from before a restart keeps its path alive and chooses nothing.
        if request.local == agent.ufrag and (request.use_candidate or agent.selected is None):
            self._select(agent, address)
        return stun.success(request, address[0], address[1], password)

    def _validate(self, agent: IceAgent, address: Address) -> None:
        before = self._by_address.get(address)
        if before is not None and before is not agent:
            # The same socket of the browser now speaks for another connection: the newest proof wins.
            before.addresses.pop(address, None)
        self._by_address[address] = agent
        agent.addresses[address] = None
        agent.addresses.move_to_end(address)
        if len(agent.addresses) > MAX_ADDRESSES:
            oldest = next(a for a in agent.addresses if a not in (agent.selected, address))
            del agent.addresses[oldest]
            del self._by_address[oldest]

    def _select(self, agent: IceAgent, address: Address) -> None:
        if agent.selected != address:
            agent.selected = address
            agent.peer.on_selected(address)
