"""Session descriptions (RFC 8866): read what anchoring needs, keep everything else byte for byte.

A description is its lines. What is not understood stays where it stood; what is understood is range-checked, and a
body that breaks a rule is a `BadSdp`, never an exception.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Final

MAX_BYTES: Final = 65_535
"""A body that came over UDP cannot be longer; over TCP nobody needs more."""
MAX_MEDIA: Final = 32
"""m-lines of one body; video conferences with slides and fax stay under ten."""

STATIC_NAMES: Final = {
    0: ("PCMU", 8000), 3: ("GSM", 8000), 4: ("G723", 8000), 5: ("DVI4", 8000), 6: ("DVI4", 16000), 7: ("LPC", 8000),
    8: ("PCMA", 8000), 9: ("G722", 8000), 10: ("L16", 44100), 11: ("L16", 44100), 12: ("QCELP", 8000),
    13: ("CN", 8000), 14: ("MPA", 90000), 15: ("G728", 8000), 16: ("DVI4", 11025), 17: ("DVI4", 22050),
    18: ("G729", 8000),
}  # fmt: skip
"""Payload types that need no rtpmap (RFC 3551, 6)."""

_LINE = re.compile(r"^([a-zA-Z])=(.*)$", re.DOTALL)
_DIGITS = re.compile(r"^[0-9]{1,10}$")


class Direction(Enum):
    """Which way media flows, seen from whoever wrote the description."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """The writer will send."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """The writer wants to receive."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)


@dataclass(frozen=True, slots=True)
class BadSdp:
    """Why a body is not a session description we can work with."""

    reason: str


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type of an m-line: its name as registered (upper case for the static ones) and clock in Hz."""

    payload_type: int
    name: str
    clock: int


@dataclass(slots=True)
class Section:
    """The session part (no m-line) or one media part: its lines as (letter, value) in their order."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def first(self, letter: str) -> str | None:
        """Return the value of the first line of this letter, or None."""
        return next((value for name, value in self.lines if name == letter), None)

    def attribute(self, name: str) -> str | None:
        """Return the value of attribute `name` ("" for a flag), or None."""
        return next(iter(self.attributes(name)), None)

    def attributes(self, name: str) -> list[str]:
        """Return the values of every attribute `name`."""
        found = []
        for letter, value in self.lines:
            if letter == "a":
                head, _, rest = value.partition(":")
                if head.lower() == name:
                    found.append(rest)
        return found

    def drop(self, names: Iterable[str]) -> None:
        """Take out every attribute with one of these names."""
        wanted = frozenset(names)
        self.lines = [
            (letter, value)
            for letter, value in self.lines
            if letter != "a" or value.partition(":")[0].lower() not in wanted
        ]

    def put(self, letter: str, value: str, after: str = "") -> None:
        """Replace the first line of `letter`, or insert it after the last line of the letters `after`, else first."""
        for at, (name, _) in enumerate(self.lines):
            if name == letter:
                self.lines[at] = (letter, value)
                return
        at = max((at + 1 for at, (name, _) in enumerate(self.lines) if name in after), default=0)
        self.lines.insert(at, (letter, value))

    @property
    def direction(self) -> Direction | None:
        """The direction this part states, or None; the last statement wins."""
        stated = None
        for letter, value in self.lines:
            if letter == "a" and value.lower() in _DIRECTIONS:
                stated = _DIRECTIONS[value.lower()]
        return stated

    @direction.setter
    def direction(self, value: Direction) -> None:
        self.drop(_DIRECTIONS)
        self.lines.append(("a", value.value))


_DIRECTIONS: Final = {one.value: one for one in Direction}


@dataclass(slots=True)
class Media(Section):
    """One media part, its m-line taken apart; `lines` holds the rest."""

    kind: str = ""
    port: int = 0
    port_count: int | None = None
    proto: str = ""
    formats: list[str] = field(default_factory=list)

    @property
    def m_line(self) -> str:
        """The value of the m-line."""
        ports = str(self.port) if self.port_count is None else f"{self.port}/{self.port_count}"
        return " ".join([self.kind, ports, self.proto, *self.formats])

    @property
    def is_rtp(self) -> bool:
        """Whether formats are RTP payload types."""
        return "RTP/" in self.proto.upper()

    @property
    def codecs(self) -> list[Codec]:
        """The payload types in the order of preference; a dynamic one without rtpmap is named `""`."""
        read = (_rtpmap(value) for value in self.attributes("rtpmap"))
        mapped = {codec.payload_type: codec for codec in read if codec is not None}
        return [mapped.get(int(text)) or _static(int(text)) for text in self.formats] if self.is_rtp else []

    @property
    def ptime(self) -> int | None:
        """Milliseconds of one packet as asked for, or None."""
        text = (self.attribute("ptime") or "").strip()
        # Some phones write fractions ("ptime:20.0"); nothing outside 1..1000 ms is a packet time.
        whole = text.partition(".")[0]
        return int(whole) if _DIGITS.match(whole) and 1 <= int(whole) <= 1000 else None

    @property
    def rtcp(self) -> tuple[str | None, int] | None:
        """Address (None: that of the media) and port of RTCP if stated by `a=rtcp` (RFC 3605), or None."""
        value = self.attribute("rtcp")
        if value is None:
            return None
        words = value.split()
        port = _number(words[0], 65_535) if words else None
        if port is None:
            return None
        address = _address(words[1:]) if len(words) > 1 else None
        return address, port


@dataclass(slots=True)
class Sdp:
    """A whole description: the session part and the media parts in their order."""

    session: Section
    media: list[Media]

    def copy(self) -> Sdp:
        """Return a description that can be changed without changing this one."""
        media = [
            Media(list(one.lines), one.kind, one.port, one.port_count, one.proto, list(one.formats))
            for one in self.media
        ]
        return Sdp(Section(list(self.session.lines)), media)

    def address(self, part: Media) -> str | None:
        """Return the connection address that holds for `part`, or None if none is given."""
        value = part.first("c") or self.session.first("c")
        return _address(value.split()) if value is not None else None

    def direction(self, part: Media) -> Direction:
        """Return the direction that holds for `part`; without a word it is sendrecv (RFC 8866, 6.7)."""
        return part.direction or self.session.direction or Direction.SENDRECV

    def holds(self, part: Media) -> bool:
        """Whether the writer puts its peer on hold: no wish to receive, or the null address of RFC 2543."""
        address = self.address(part)
        return not self.direction(part).receives or (address is not None and is_null(address))

    def to_bytes(self) -> bytes:
        """Return the body with CRLF line ends (RFC 8866, 5)."""
        rows = [f"{letter}={value}" for letter, value in self.session.lines]
        for part in self.media:
            rows.append(f"m={part.m_line}")
            rows.extend(f"{letter}={value}" for letter, value in part.lines)
        return "".join(row + "\r\n" for row in rows).encode("utf-8", "surrogateescape")


def is_null(address: str) -> bool:
    """Whether `address` is the unspecified one, which older phones write to mean hold (RFC 3264, 8.4)."""
    return address in ("0.0.0.0", "::")


def connection(address: str) -> str:
    """Return the value of a c-line for `address`."""
    return f"IN {'IP6' if ':' in address else 'IP4'} {address}"


def parse(body: bytes) -> Sdp | BadSdp:
    """Read a body; bytes that are not UTF-8 survive the way through."""
    if len(body) > MAX_BYTES:
        return BadSdp("longer than 65535 bytes")
    if b"\0" in body:
        return BadSdp("holds a NUL byte")
    # Bare LF comes from real phones; RFC 8866, 5 lets parsers accept it.
    rows = body.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
    while rows and not rows[-1].strip():
        rows.pop()
    session = Section()
    media: list[Media] = []
    for row in rows:
        match = _LINE.match(row)
        if match is None:
            return BadSdp("a line is not <letter>=<value>")
        letter, value = match[1], match[2]
        if letter == "m":
            part = _media(value)
            if isinstance(part, BadSdp):
                return part
            media.append(part)
        else:
            (media[-1] if media else session).lines.append((letter, value))
    return _checked(Sdp(session, media))


def _checked(sdp: Sdp) -> Sdp | BadSdp:
    if sdp.session.first("v") != "0":
        return BadSdp("does not begin with v=0")
    if len(sdp.media) > MAX_MEDIA:
        return BadSdp(f"more than {MAX_MEDIA} m-lines")
    for part in (sdp.session, *sdp.media):
        for value in (value for letter, value in part.lines if letter == "c"):
            if _address(value.split()) is None:
                return BadSdp("a c-line is not IN IP4 or IN IP6 with an address")
    for media in sdp.media:
        reason = _media_fault(sdp, media)
        if reason:
            return BadSdp(reason)
    return sdp


def _media_fault(sdp: Sdp, part: Media) -> str:
    if part.port and sdp.address(part) is None:
        return "an m-line in use has no c-line"
    if any(_rtpmap(value) is None for value in part.attributes("rtpmap")):
        return "an rtpmap is not <0-127> <name>/<clock>"
    if part.attribute("rtcp") is not None and part.rtcp is None:
        return "a=rtcp is not a port of 0-65535"
    return ""


def _media(value: str) -> Media | BadSdp:
    words = value.split()
    if len(words) < 4:
        return BadSdp("an m-line has fewer than four words")
    kind, ports, proto, *formats = words
    first, slash, count = ports.partition("/")
    port = _number(first, 65_535)
    port_count = _number(count, 65_535) if slash else None
    if port is None or (slash and port_count is None):
        return BadSdp("an m-line's port is not 0-65535")
    part = Media([], kind, port, port_count, proto, formats)
    if part.is_rtp and any(_number(text, 127) is None for text in formats):
        return BadSdp("a payload type is not 0-127")
    return part


def _number(text: str, top: int) -> int | None:
    return int(text) if _DIGITS.match(text) and int(text) <= top else None


def _address(words: list[str]) -> str | None:
    """Return the address of `IN IP4 a[/ttl]` without its TTL; host names are allowed (RFC 8866, 5.7)."""
    if len(words) != 3 or words[0].upper() != "IN" or words[1].upper() not in ("IP4", "IP6"):
        return None
    return _host(words[2].partition("/")[0])


@lru_cache(maxsize=1024)
def _host(text: str) -> str | None:
    """Return an address in its shortest form or a host name as it is; the same few come in every body."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text if re.match(r"^[A-Za-z][A-Za-z0-9.-]{0,252}$", text) else None


def _rtpmap(value: str) -> Codec | None:
    number, _, encoding = value.strip().partition(" ")
    payload_type = _number(number, 127)
    name, _, rest = encoding.strip().partition("/")
    clock = _number(rest.partition("/")[0].strip(), 1_000_000)
    if payload_type is None or not name or not clock:
        return None
    return Codec(payload_type, name, clock)


def _static(payload_type: int) -> Codec:
    name, clock = STATIC_NAMES.get(payload_type, ("", 8000))
    return Codec(payload_type, name, clock)
