"""The legs of a call: what each phone asked for, the commands that follow from it, and what the record shows."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from sip_bridge.errors import BridgeError
from sip_bridge.hooks import Side
from sip_bridge.sdp import Codec, Media, Sdp, is_null

PREFERENCE: Final = (("PCMU", "PCMA"), ("G722",), ("OPUS",), ("TELEPHONE-EVENT",), ("CN",))
"""Codecs moved first in an offer. The two G.711 laws stand together: which of them leads stays the offerer's choice."""

DEFAULT_PTIME: Final = 20
"""Milliseconds of a packet when nobody says (RFC 3551, 4.2)."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A phone's media address and wishes, as its description says."""

    host: str
    port: int
    rtcp_host: str
    rtcp_port: int
    codecs: dict[str, str]
    """Payload type, as text, to codec name as the media process spells it."""
    ptime: int
    receives: bool
    sends: bool
    holds: bool

    @property
    def null(self) -> bool:
        """The address is the unspecified one: send nothing there (RFC 3264, 8.4)."""
        return is_null(self.host)

    def to_json(self) -> list[Any]:
        """Return the fields as JSON-ready data."""
        return [
            self.host, self.port, self.rtcp_host, self.rtcp_port, self.codecs, self.ptime,
            self.receives, self.sends, self.holds,
        ]  # fmt: skip

    @classmethod
    def from_json(cls, data: list[Any]) -> Remote:
        """Return what `to_json` described; raises TypeError on a wrong number of fields."""
        return cls(*data)


@dataclass(frozen=True, slots=True)
class Placement:
    """What the configuration says of a call's media: the agent's side (None: not known) and the addresses to show."""

    segment: str = ""
    agent: Side | None = None
    advertise: tuple[str, str] = ("", "")
    """Our address towards the caller and towards the callee; "" means the default one."""
    open_ear: bool = True
    learn: tuple[bool, bool] = (False, False)
    codecs: tuple[tuple[str, ...], ...] = PREFERENCE


@dataclass(frozen=True, slots=True)
class LegView:
    """What the record of a call shows of one leg."""

    leg: int
    side: Side
    codec: str
    clock: int
    held: bool
    remote: bool


@dataclass(frozen=True, slots=True)
class MediaView:
    """The media of one call: its legs (none before the first offer), who holds, and why it may be unmonitored."""

    legs: tuple[LegView, ...] = ()
    holds: frozenset[Side] = frozenset()
    refused: str = ""


@dataclass(slots=True)
class End:
    """One side's leg."""

    leg: int
    port: int
    remote: Remote | None = None
    origin: tuple[str, str, int] | None = None
    """User, session id and version of the last o-line sent to this side."""
    body: str = ""
    """The last description sent to this side, without its o-line."""
    told: dict[str, Any] | None = None
    """The last `set` command sent for this leg."""

    def dump(self) -> dict[str, Any]:
        """Return the leg as JSON-ready data."""
        remote = self.remote.to_json() if self.remote else None
        return {"leg": self.leg, "port": self.port, "origin": self.origin, "body": self.body, "remote": remote}

    @classmethod
    def restored(cls, data: dict[str, Any]) -> End:
        """Return the leg that `dump` described."""
        remote = Remote.from_json(data["remote"]) if data["remote"] else None
        origin = (str(data["origin"][0]), str(data["origin"][1]), int(data["origin"][2])) if data["origin"] else None
        return cls(int(data["leg"]), int(data["port"]), remote, origin, str(data["body"]))


@dataclass(slots=True)
class CallMedia:
    """The media state of one call."""

    placement: Placement | None = None
    ends: dict[Side, End] = field(default_factory=dict)
    opened: bool = False
    """The media process has been told to open the legs."""
    codec: Codec | None = None
    refused: str = ""
    two_lines: bool = False
    """The agent has another call open: the media process refuses a whisper by itself."""

    def view(self) -> MediaView:
        """Return what the record of the call shows."""
        holds = frozenset(side for side, end in self.ends.items() if end.remote is not None and end.remote.holds)
        name = self.codec.name.upper() if self.codec else ""
        clock = self.codec.clock if self.codec else 0
        legs = tuple(
            LegView(end.leg, side, name, clock, side.other in holds, end.remote is not None)
            for side, end in self.ends.items()
        )
        return MediaView(legs, holds, self.refused)

    def commands(self) -> list[dict[str, Any]]:
        """Return the commands that bring the media process up to date."""
        placement = self.placement
        if placement is None or not self.ends:
            return []
        out: list[dict[str, Any]] = []
        fresh = not self.opened
        if fresh:
            self.opened = True
            out.extend(self._open(side, placement) for side in self.ends)
        for side, end in self.ends.items():
            command = self._set(side, learn=placement.learn[side is Side.CALLEE])
            # A leg just opened has no phone yet: nothing to say. Every message wakes the media process (0.1 ms).
            if command != end.told and not (fresh and end.remote is None):
                out.append(command)
            end.told = command
        return out

    def _open(self, side: Side, placement: Placement) -> dict[str, Any]:
        end = self.ends[side]
        role = "agent" if side is placement.agent else "customer"
        peer = self.ends[side.other].leg
        return {
            "cmd": "open", "leg": end.leg, "port": end.port, "peer": peer, "role": role, "segment": placement.segment,
        }  # fmt: skip

    def _set(self, side: Side, learn: bool) -> dict[str, Any]:
        remote, peer = self.ends[side].remote, self.ends[side.other].remote
        return {
            "cmd": "set",
            "leg": self.ends[side].leg,
            "remote": [remote.host, remote.port] if remote and not remote.null else None,
            "rtcp": [remote.rtcp_host, remote.rtcp_port] if remote and remote.rtcp_port and not remote.null else None,
            "codecs": {**(peer.codecs if peer else {}), **(remote.codecs if remote else {})},
            "ptime": remote.ptime if remote else DEFAULT_PTIME,
            "learn": learn,
            "send": bool(remote and remote.receives),
            # What a phone sends is relayed whatever the directions say, as it would reach the other one without us.
            "recv": remote is not None,
            "held": bool(peer and peer.holds),
            "two_lines": self.two_lines,
        }

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON-ready data; `placement` is not part of it."""
        return {
            "codec": [self.codec.payload_type, self.codec.name, self.codec.clock] if self.codec else None,
            "refused": self.refused,
            "ends": {side.value: end.dump() for side, end in self.ends.items()},
        }

    @classmethod
    def restored(cls, data: dict[str, Any], placement: Placement) -> CallMedia:
        """Return the state that `dump` described; raises BridgeError on foreign data."""
        try:
            codec = Codec(*data["codec"]) if data["codec"] else None
            ends = {Side(value): End.restored(end) for value, end in data["ends"].items()}
            # The media process outlives us and has the legs open; its hello says otherwise if not.
            return cls(placement, ends, True, codec, str(data["refused"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BridgeError(f"the journal's media state of a call cannot be read: {error}") from error


def remote_of(sdp: Sdp, part: Media) -> Remote | None:
    """Return the far end that `part` describes, or None when its address is a host name."""
    host = sdp.address(part) or ""
    if not _is_ip(host):
        return None
    rtcp_host, rtcp_port = part.rtcp or (None, part.port + 1)
    if rtcp_host is None or not _is_ip(rtcp_host):
        rtcp_host = host
    names = {str(codec.payload_type): _spelled(codec.name) for codec in part.codecs if codec.name}
    ptime = min(max(part.ptime or DEFAULT_PTIME, 10), 120)  # the range of the media process; 10 to 60 are in use
    direction = sdp.direction(part)
    return Remote(
        host, part.port, rtcp_host, rtcp_port if rtcp_port <= 65_535 else 0, names, ptime,
        direction.receives and not is_null(host), direction.sends, sdp.holds(part),
    )  # fmt: skip


@lru_cache(maxsize=1024)  # the phones of a site, and our own address
def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _spelled(name: str) -> str:
    """Codec names are case-insensitive (RFC 4855, 3); the media process knows one spelling."""
    upper = name.upper()
    return {"TELEPHONE-EVENT": "telephone-event", "OPUS": "opus"}.get(upper, upper)
