"""Trunks, and where a request goes: from the trunk it came in on to the one it leaves by."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sip_bridge.hooks import HeaderView, Hop, Refuse, Route, Side
from sip_bridge.identity import DEFAULT_AGENT, DEFAULT_INTERACTION, Direction

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TrunkSide(Enum):
    """Who is behind a trunk: the agents' phones, or the telephone system."""

    PHONES = "phones"
    PBX = "pbx"


class PlacementKind(Enum):
    """Where the bridge stands: before the phones, or before the telephone system (agents not told apart there)."""

    STATION = "station"
    TRUNK = "trunk"


@dataclass(frozen=True, slots=True)
class Source:
    """Addresses a trunk's requests come from; port None means any."""

    network: Network
    port: int | None = None

    def matches(self, hop: Hop) -> bool:
        """Whether `hop` lies in this network and has this port."""
        if self.port is not None and self.port != hop.port:
            return False
        try:
            return ipaddress.ip_address(hop.host) in self.network
        except ValueError:
            return False

    @property
    def weight(self) -> tuple[bool, int]:
        """How special this source is: the more special one wins."""
        return self.port is not None, self.network.prefixlen


@dataclass(frozen=True, slots=True)
class Trunk:
    """One `[[trunk]]` of the configuration; no `match` and no `route` means: everyone who is nobody else."""

    name: str
    side: TrunkSide
    match: tuple[Source, ...] = ()
    route: Hop | None = None
    to: str = ""
    """The trunk its calls leave by; "" is the first trunk of the other side."""
    agent: tuple[str, ...] = DEFAULT_AGENT
    queue: tuple[str, ...] = ()
    interaction: tuple[str, ...] = DEFAULT_INTERACTION
    codecs: tuple[str, ...] = ()
    source_learning: bool = False
    advertise: str = ""
    placement: PlacementKind = PlacementKind.STATION
    open_ear: bool = True
    policy: str = ""

    @property
    def sources(self) -> tuple[Source, ...]:
        """The addresses its requests come from; without `match` that of its route."""
        if self.match or self.route is None:
            return self.match
        try:
            network = ipaddress.ip_network(self.route.host)
        except ValueError:
            return ()
        # A TCP peer dials from any port; over UDP a SIP element sends from the port it listens on (RFC 3261, 18.1.1).
        return (Source(network, None if self.route.transport == "tcp" else self.route.port),)


_URI: Final = re.compile(r"^(sips?:)((?:[^@\s]*)@)?(\[[^\]\s]+\]|[^:;?\s]+)(?::([0-9]{1,5}))?(.*)$", re.IGNORECASE)


class TrunkRouter:
    """The `Router` of configured trunks.

    Args:
        trunks: at least one of each side.
        own: (host, port) pairs that mean the bridge itself in a request URI.
        registered: whether a request URI is one of a phone registered through the bridge.
    """

    def __init__(self, trunks: Sequence[Trunk], own: frozenset[tuple[str, int]]) -> None:
        self.trunks = {trunk.name: trunk for trunk in trunks}
        self.registered: Callable[[str], bool] = lambda _: False
        self._own = own
        known = [(source, trunk) for trunk in trunks for source in trunk.sources]
        self._sources = sorted(known, key=lambda pair: pair[0].weight, reverse=True)
        self._anyone = next((trunk for trunk in trunks if not trunk.sources), None)

    def trunk_of(self, source: Hop) -> Trunk | None:
        """Return the trunk that requests from `source` belong to."""
        found = (trunk for one, trunk in self._sources if one.matches(source))
        return next(found, self._anyone)

    def route(self, method: str, request_uri: str, source: Hop, headers: HeaderView) -> Route | Refuse:
        """Return the next hop of a request outside any dialog."""
        trunk = self.trunk_of(source)
        if trunk is None:
            return Refuse(403, "Forbidden")
        registered = method != "REGISTER" and self.registered(request_uri)
        out = self._phones(trunk) if registered else self._out(trunk)
        if out is None:
            return Refuse(404, "No Route")
        if registered:
            # The hop and request URI of the binding replace these two.
            return Route(source, request_uri, trunk.name, out.name)
        if out.route is None:
            return Refuse(404, "Not Found")
        return Route(out.route, self._addressed(request_uri, out.route), trunk.name, out.name)

    def sides(self, route: Route) -> tuple[Direction, Side | None]:
        """Return the direction of a routed call and the side of its agent; of two phones, the caller is the agent."""
        caller = self.trunks[route.trunk_in].side is TrunkSide.PHONES
        callee = self.trunks[route.trunk_out].side is TrunkSide.PHONES
        if caller and callee:
            return Direction.INTERNAL, Side.CALLER
        if caller:
            return Direction.OUTBOUND, Side.CALLER
        return (Direction.INBOUND, Side.CALLEE) if callee else (Direction.INTERNAL, None)

    def outer(self, route: Route) -> Trunk:
        """Return the trunk that faces the telephone system; its settings rule the call."""
        trunk_in, trunk_out = self.trunks[route.trunk_in], self.trunks[route.trunk_out]
        return trunk_in if trunk_in.side is TrunkSide.PBX else trunk_out

    def _phones(self, trunk: Trunk) -> Trunk | None:
        named = self.trunks.get(trunk.to)
        if named is not None and named.side is TrunkSide.PHONES:
            return named
        return next((one for one in self.trunks.values() if one.side is TrunkSide.PHONES), None)

    def _out(self, trunk: Trunk) -> Trunk | None:
        if trunk.to:
            return self.trunks.get(trunk.to)
        return next((one for one in self.trunks.values() if one.side is not trunk.side), None)

    def _addressed(self, request_uri: str, hop: Hop) -> str:
        """Return the request URI with the host of `hop` where it named the bridge itself; parameters are kept."""
        match = _URI.match(request_uri)
        if match is None:
            return request_uri
        scheme, user, host, port, rest = match.groups()
        if (host.strip("[]").lower(), int(port or 5060)) not in self._own:
            return request_uri
        shown = f"[{hop.host}]" if ":" in hop.host else hop.host
        return f"{scheme}{user or ''}{shown}:{hop.port}{rest}"
