"""Commands from control, checked before anything is done with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from .grants import Ask, Mode

Address = tuple[Any, ...]
"""A socket address as the socket module has it: (host, port), with IPv6 (host, port, 0, 0)."""

M32: Final = 0xFFFFFFFF
GAIN_DB: Final = (-20.0, 12.0)
DUCK_DB: Final = (-20.0, 0.0)


class Hello(NamedTuple):
    """Asks for the epoch and the legs that are open."""


class Open(NamedTuple):
    """Opens a leg on a local RTP port (even; RTCP on the next)."""

    leg: int
    port: int
    customer: bool
    peer: int
    segment: str


class Set(NamedTuple):
    """Where a leg's phone is and what may pass; replaces what was set before."""

    leg: int
    remote: Address | None
    rtcp: Address | None
    codecs: Mapping[int, str]
    ptime: int
    learn: bool
    send: bool
    recv: bool
    held: bool
    two_lines: bool


class Close(NamedTuple):
    """Closes a leg."""

    leg: int


class Listen(NamedTuple):
    """Flushes legs every 2 ms instead of every 20 ms."""

    legs: tuple[int, ...]
    on: bool


class TapSwitch(NamedTuple):
    """Turns the tap on or off."""

    on: bool


class Revoke(NamedTuple):
    """Ends a grant."""

    session: int


class RevokeAll(NamedTuple):
    """Ends every grant."""


class Gain(NamedTuple):
    """Sets a supervisor's level at the agent, and the ducking."""

    session: int
    whisper_db: float
    duck_db: float


class Stats(NamedTuple):
    """Asks for the counters."""


class BadCommand(NamedTuple):
    """Why a command was refused."""

    cmd: str
    text: str


Command = Hello | Open | Set | Close | Listen | TapSwitch | Ask | Revoke | RevokeAll | Gain | Stats


class _Wrong(Exception):
    """A member is missing or out of its range."""


class _Members:
    """Reads members of a JSON object, each in its range."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        value = self._members.get(name, default)
        if type(value) is not int or not low <= value <= high:
            raise _Wrong(f"{name} must be a number from {low} to {high}")
        return value

    def decibel(self, name: str, limits: tuple[float, float]) -> float:
        value = self._members.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not limits[0] <= value <= limits[1]:
            raise _Wrong(f"{name} must be from {limits[0]} to {limits[1]} dB")
        return float(value)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self._members.get(name, default)
        if type(value) is not bool:
            raise _Wrong(f"{name} must be true or false")
        return value

    def text(self, name: str) -> str:
        value = self._members.get(name, "")
        if type(value) is not str:
            raise _Wrong(f"{name} must be a text")
        return value

    def address(self, name: str) -> Address | None:
        value = self._members.get(name)
        if value is None:
            return None
        match value:
            case [str(host), int(port)] if 1 <= port <= 65535:
                return address(host, port)
        raise _Wrong(f"{name} must be [host, port] or null")

    def codecs(self) -> dict[int, str]:
        value = self._members.get("codecs", {})
        if type(value) is not dict or not all(_is_codec(*item) for item in value.items()):
            raise _Wrong("codecs must map payload types 0 to 127 to names")
        return {int(number): name for number, name in value.items()}

    def legs(self) -> tuple[int, ...]:
        value = self._members.get("legs")
        if type(value) is not list or not all(type(leg) is int for leg in value):
            raise _Wrong("legs must be a list of numbers")
        return tuple(value)


def address(host: str, port: int) -> Address | None:
    """Return the socket address; None for the unspecified host, which means "send nothing" (RFC 3264, 8.4)."""
    if host in ("0.0.0.0", "::"):
        return None
    return (host, port, 0, 0) if ":" in host else (host, port)


def _is_codec(number: object, name: object) -> bool:
    return isinstance(number, str) and number.isascii() and number.isdigit() and int(number) < 128 and type(name) is str


def _open(m: _Members) -> Open:
    role = m.text("role")
    if role not in ("agent", "customer"):
        raise _Wrong("role must be agent or customer")
    port = m.number("port", 2, 65534)
    return Open(m.number("leg", 0, M32), port, role == "customer", m.number("peer", 0, M32), m.text("segment"))


def _set(m: _Members) -> Set:
    return Set(
        m.number("leg", 0, M32),
        m.address("remote"),
        m.address("rtcp"),
        m.codecs(),
        m.number("ptime", 10, 120, 20),
        m.flag("learn"),
        m.flag("send", True),
        m.flag("recv", True),
        m.flag("held"),
        m.flag("two_lines"),
    )


def _grant(m: _Members) -> Ask:
    mode = m.text("mode")
    if mode not in ("whisper", "barge"):
        raise _Wrong("mode must be whisper or barge")
    session, leg, customer = (m.number(name, 0, M32) for name in ("session", "leg", "customer_leg"))
    return Ask(session, leg, customer, Mode(mode), m.number("counter", 0, 1 << 62), m.number("ttl_ms", 1, 1 << 31))


_READERS: dict[str, Callable[[_Members], Command]] = {
    "hello": lambda m: Hello(),
    "open": _open,
    "set": _set,
    "close": lambda m: Close(m.number("leg", 0, M32)),
    "listen": lambda m: Listen(m.legs(), m.flag("on")),
    "tap": lambda m: TapSwitch(m.flag("on")),
    "grant": _grant,
    "revoke": lambda m: Revoke(m.number("session", 0, M32)),
    "revoke_all": lambda m: RevokeAll(),
    "gain": lambda m: Gain(
        m.number("session", 0, M32), m.decibel("whisper_db", GAIN_DB), m.decibel("duck_db", DUCK_DB)
    ),
    "stats": lambda m: Stats(),
}


def read(data: bytes) -> Command | BadCommand:
    """Read one command."""
    try:
        members = json.loads(data)
    except (ValueError, RecursionError):
        return BadCommand("", "not JSON")
    if not isinstance(members, dict):
        return BadCommand("", "not an object")
    name = members.get("cmd")
    reader = _READERS.get(name) if isinstance(name, str) else None
    if reader is None:
        return BadCommand(str(name)[:32], "unknown command")
    try:
        return reader(_Members(members))
    except _Wrong as wrong:
        return BadCommand(str(name), str(wrong))
