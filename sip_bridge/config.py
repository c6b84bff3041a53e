"""The bridge's settings: one TOML schema, also reachable by a few command-line options.

Tables the bridge does not own (agents, teams, queues, users) are left to livemon. A wrong setting is a `ConfigError`
that names the line, the setting and what to write instead.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from sip_bridge.errors import ConfigError
from sip_bridge.hooks import Hop
from sip_bridge.identity import EXPRESSION
from sip_bridge.routing import PlacementKind, Source, Trunk, TrunkSide

Reader = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """Everything the bridge's processes need to know."""

    listen: tuple[Hop, ...]
    trunks: tuple[Trunk, ...]
    name: str = "b1"
    rtp_host: str = "0.0.0.0"
    rtp_ports: tuple[int, int] = (20_000, 20_999)
    advertise: str = ""
    server: str = ""
    """URL of the node's link, "" for a bridge without a tap."""
    key_file: str = ""
    metrics: Hop | None = None
    drain_seconds: float = 3600.0
    silence_seconds: float = 300.0
    """Both phones silent for so long, and not on hold: the call is dead and is hung up."""
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The settings as written, for handing on to the control process."""

    @property
    def address(self) -> str:
        """The address written into SDP: `advertise`, else that of the first listener."""
        return self.advertise or self.listen[0].host


class _Wrong(Exception):
    """What to write instead."""


def load(text: str) -> BridgeConfig:
    """Read a TOML document; raises ConfigError."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from error
    return from_mapping(raw, text)


def from_mapping(raw: Mapping[str, Any], text: str = "") -> BridgeConfig:
    """Return the settings of a parsed document; `text` is where the lines of errors are looked up."""
    bridge = _table(raw, "bridge", _BRIDGE, text)
    link = _table(raw, "link", _LINK, text)
    trunks = tuple(_trunk(one, at, text) for at, one in enumerate(_list_of_tables(raw, "trunk", text)))
    _check_trunks(trunks, text)
    if "listen" not in bridge:
        raise ConfigError(f'{_where(text, "bridge")}: listen is missing; write listen = ["udp:192.0.2.1:5060"]')
    if link.get("server") and not link.get("key_file"):
        raise ConfigError(
            f"{_where(text, 'link')}: key_file is missing; write the path of the file with the link's key"
        )
    if not bridge.get("advertise") and bridge["listen"][0].host in ("0.0.0.0", "::"):
        where = _where(text, "bridge", key="listen")
        raise ConfigError(f"{where}: advertise is missing; phones cannot send to {bridge['listen'][0].host}")
    return BridgeConfig(trunks=trunks, raw=raw, **bridge, **link)


def _list_of_tables(raw: Mapping[str, Any], name: str, text: str) -> list[Any]:
    value = raw.get(name, [])
    if not isinstance(value, list):
        raise ConfigError(f"{_where(text, name)}: write [[{name}]] with two brackets; there can be several")
    return value


def _table(raw: Mapping[str, Any], name: str, readers: Mapping[str, Reader], text: str, at: int = 0) -> dict[str, Any]:
    value = raw.get(name, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{_where(text, name)}: write [{name}] and its settings below")
    return _settings(value, name, readers, text, at)


def _settings(
    value: Mapping[str, Any], name: str, readers: Mapping[str, Reader], text: str, at: int = 0
) -> dict[str, Any]:
    out = {}
    for key, one in value.items():
        where = _where(text, name, at, key)
        reader = readers.get(key)
        if reader is None:
            raise ConfigError(f"{where}: {key} is not a setting of {name}; known are {', '.join(sorted(readers))}")
        try:
            out[key] = reader(one)
        except _Wrong as wrong:
            raise ConfigError(f"{where}: {key} = {one!r} is wrong; write {wrong}") from None
    return out


def _trunk(raw: Any, at: int, text: str) -> Trunk:
    if not isinstance(raw, dict):
        raise ConfigError(f"{_where(text, 'trunk', at)}: write [[trunk]] and its settings below")
    settings = _settings({key: one for key, one in raw.items() if key != "identity"}, "trunk", _TRUNK, text, at)
    identity = raw.get("identity", {})
    if not isinstance(identity, dict):
        raise ConfigError(f"{_where(text, 'trunk', at, 'identity')}: write identity.agent, .queue or .interaction")
    settings |= _settings(identity, "trunk", _IDENTITY, text, at)
    for key in ("name", "side"):
        if key not in settings:
            raise ConfigError(f"{_where(text, 'trunk', at)}: {key} is missing; write {_EXAMPLES[key]}")
    return Trunk(**settings)


def _check_trunks(trunks: tuple[Trunk, ...], text: str) -> None:
    names = [trunk.name for trunk in trunks]
    for at, trunk in enumerate(trunks):
        if trunk.name in names[:at]:
            raise ConfigError(f"{_where(text, 'trunk', at, 'name')}: name {trunk.name!r} is taken by another trunk")
        if trunk.to and trunk.to not in names:
            raise ConfigError(f"{_where(text, 'trunk', at, 'to')}: to = {trunk.to!r} names no trunk")
        if trunk.side is TrunkSide.PBX and trunk.route is None and not trunk.match and len(trunks) > 2:
            raise ConfigError(f"{_where(text, 'trunk', at)}: route is missing; write {_EXAMPLES['route']}")
    if {trunk.side for trunk in trunks} != set(TrunkSide):
        raise ConfigError('trunk: one [[trunk]] with side = "phones" and one with side = "pbx" are needed')


def _where(text: str, table: str, at: int = 0, key: str = "") -> str:
    """Return `line 12, trunk` for the `at`-th such table, or the line of `key` in it."""
    heads = list(re.finditer(rf"^[ \t]*\[\[?\s*{table}\s*\]", text, re.MULTILINE))
    if at >= len(heads):
        return table
    start = heads[at].start()
    if key:
        after = heads[at].end()
        end = re.compile(r"^[ \t]*\[", re.MULTILINE).search(text, after)
        pattern = re.compile(rf"^[ \t]*(?:identity\s*\.\s*)?{re.escape(key)}\b", re.MULTILINE)
        found = pattern.search(text, after, end.start() if end else len(text))
        start = found.start() if found else start
    return f"line {text.count(chr(10), 0, start) + 1}, {table}"


# Readers: each returns the value for the dataclass or raises _Wrong with what to write.


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong("a text in quotes")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not re.match(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", value):
        raise _Wrong("a name of letters, digits, dots and dashes")
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("true or false")
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 86_400:
        raise _Wrong("seconds, above 0 and at most 86400")
    return float(value)


def _ip(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(value)) if isinstance(value, str) and value else _text(value)
    except ValueError:
        raise _Wrong("an IP address, as 192.0.2.1") from None


def hop(value: Any) -> Hop:
    """Return the Hop of `udp:host:port` (transport may be left out); raises _Wrong."""
    match = re.match(r"^(?:(udp|tcp):)?(\[[^\]]+\]|[^:\s]+):([0-9]{1,5})$", value if isinstance(value, str) else "")
    if match is None or not 0 < int(match[3]) <= 65_535:
        raise _Wrong("transport:host:port, as udp:192.0.2.1:5060")
    return Hop(match[1] or "udp", match[2].strip("[]"), int(match[3]))


def _listen(value: Any) -> tuple[Hop, ...]:
    values = value if isinstance(value, list) else [value]
    hops = [hop(one) for one in values]
    if not hops or any(not _is_ip(one.host) for one in hops):
        raise _Wrong('a list of addresses to bind, as ["udp:192.0.2.1:5060", "tcp:192.0.2.1:5060"]')
    return tuple(Hop(one.transport, one.host, one.port, _index(hops, at)) for at, one in enumerate(hops))


def _index(hops: list[Hop], at: int) -> int:
    """Return how many listeners of the same transport stand before this one."""
    return sum(one.transport == hops[at].transport for one in hops[:at])


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ports(value: Any) -> tuple[int, int]:
    match = re.match(r"^([0-9]{4,5})-([0-9]{4,5})$", value if isinstance(value, str) else "")
    if match is None:
        raise _Wrong('a range, as "20000-20999"')
    first, last = int(match[1]), int(match[2])
    # Pairs of an even RTP and an odd RTCP port (RFC 3550, 11); two pairs make a call.
    if first % 2 or not last % 2 or not 1024 <= first < last <= 65_535 or last - first < 3:
        raise _Wrong('an even first and an odd last port with room for a call, as "20000-20999"')
    return first, last


def _sources(value: Any) -> tuple[Source, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(_source(one) for one in values)


def _source(value: Any) -> Source:
    match = re.match(
        r"^(?:\[([^\]]+)\]|([0-9a-fA-F.:/]+?))(?::([0-9]{1,5}))?$", value if isinstance(value, str) else ""
    )
    try:
        if match is None:
            raise ValueError
        text, port = match[1] or match[2], match[3]
        if match[2] and ":" in match[2]:
            text, port = value, None  # an IPv6 address without brackets has no port
        return Source(ipaddress.ip_network(text, strict=False), int(port) if port else None)
    except ValueError:
        raise _Wrong('addresses, as ["192.0.2.10", "10.0.0.0/8", "192.0.2.11:5062"]') from None


def _expressions(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) and EXPRESSION.match(one) for one in values):
        raise _Wrong("to.user, from.uri, uri.user, pai.user, agent.user, customer.user or header:X-Name, or a list")
    return tuple(values)


def _headers(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) and re.match(r"^[A-Za-z0-9!%*_+`'~.-]+$", one) for one in values):
        raise _Wrong("a header's name, as X-Interaction, or a list of them")
    return tuple(values)


def _codecs(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise _Wrong('a list of codec names, best first, as ["PCMA", "PCMU"]')
    return tuple(one.upper() for one in value)


def _side(value: Any) -> TrunkSide:
    return TrunkSide(_one_of(TrunkSide, value))


def _placement(value: Any) -> PlacementKind:
    return PlacementKind(_one_of(PlacementKind, value))


def _one_of(kind: type[Enum], value: Any) -> Any:
    values = [one.value for one in kind]
    if value not in values:
        raise _Wrong(" or ".join(f'"{one}"' for one in values))
    return value


def _server(value: Any) -> str:
    if not isinstance(value, str) or not re.match(r"^(?:unix:///\S+|wss?://\S+)?$", value):
        raise _Wrong('"unix:///run/livemon/node-0.sock" or "wss://host:port/"')
    # Without TLS the key and the calls would be readable on the way.
    if value.startswith("ws://") and not re.match(r"^ws://(?:127\.|localhost[:/]|\[::1\])", value):
        raise _Wrong("wss:// for another host; ws:// is for this one alone")
    return value


_BRIDGE: Final[Mapping[str, Reader]] = {
    "name": _name, "listen": _listen, "rtp_host": _ip, "rtp_ports": _ports, "advertise": _ip, "metrics": hop,
    "drain_seconds": _seconds, "silence_seconds": _seconds,
}  # fmt: skip
_LINK: Final[Mapping[str, Reader]] = {"server": _server, "key_file": _text}
_TRUNK: Final[Mapping[str, Reader]] = {
    "name": _name, "side": _side, "match": _sources, "route": hop, "to": _name, "codecs": _codecs,
    "source_learning": _bool, "advertise": _ip, "placement": _placement, "open_ear": _bool, "policy": _text,
}  # fmt: skip
_IDENTITY: Final[Mapping[str, Reader]] = {"agent": _expressions, "queue": _expressions, "interaction": _headers}
_EXAMPLES: Final = {
    "name": 'name = "pbx"',
    "side": 'side = "pbx" (the telephone system) or "phones"',
    "route": 'route = "udp:192.0.2.10:5060"',
}
