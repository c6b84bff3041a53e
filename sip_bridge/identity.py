"""Who is on the line: names, numbers and interaction ids read from SIP headers by a trunk's expressions.

An expression is `to.user`, `from.uri`, `uri.user` (the request URI), `pai.user` (P-Asserted-Identity), `agent.user` and
`customer.user` (the address of that side, whichever header holds it), or `header:X-Name`.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import unquote


class Direction(Enum):
    """A call's way: `inbound` reaches the phones, `outbound` leaves them, `internal` stays on one side."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


Headers = Mapping[str, Sequence[str]]

EXPRESSION: Final = re.compile(r"^(?:(?:to|from|uri|pai|agent|customer)\.(?:user|uri)|header:[A-Za-z0-9!%*_+`'~.-]+)$")
"""What an identity setting may say."""
DEFAULT_AGENT: Final = ("agent.uri", "agent.user")
DEFAULT_INTERACTION: Final = ("X-Interaction", "User-to-User", "Session-ID")
"""Headers that name an interaction, the first one present wins (RFC 7433, RFC 7989)."""

_NULL_SESSION = "0" * 32
"""The Session-ID of an end that has not spoken yet (RFC 7989, 5)."""
_ADDRESS = re.compile(r"(?:sips?|tel):[^>;?\s,]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Identity:
    """What the signalling says of the people: the agent's names (several spellings), the queue, the customer."""

    agent: tuple[str, ...]
    queue: str
    customer: str

    def to_json(self) -> dict[str, object]:
        """Return the identity as the link carries it."""
        return {"agent": list(self.agent), "queue": self.queue, "customer": self.customer}


@dataclass(frozen=True, slots=True)
class Caller:
    """The INVITE as identity sees it; `agent_aor` is the registered address behind a rewritten request URI."""

    request_uri: str
    headers: Headers
    direction: Direction
    agent_aor: str = ""


def identify(caller: Caller, agent: Sequence[str], queue: Sequence[str]) -> Identity:
    """Return who is on the line by these expressions."""
    names = [value for value in (_evaluate(text, caller) for text in agent) if value]
    queues = (value for value in (_evaluate(text, caller) for text in queue) if value)
    return Identity(tuple(dict.fromkeys(names)), next(queues, ""), _user(_address_of("customer", caller)))


def interaction_id(headers: Headers, names: Sequence[str]) -> str | None:
    """Return the interaction that a configured header names, as 32 hex digits, or None.

    A UUID is taken as it is; any other value is hashed, so that every bridge derives the same id from it.
    """
    for name in names:
        value = _first(headers, name).strip()
        if name.lower() == "session-id":
            # The caller's half is the same in every leg of the call (RFC 7989, 6); the other half comes later.
            value = value.partition(";")[0].strip()
            value = "" if value == _NULL_SESSION else value
        if value:
            return _as_uuid(value) or stable_uuid(f"{name.lower()}:{value}")
    return None


def stable_uuid(text: str) -> str:
    """Return a UUID (version 8, RFC 9562, 5.8) derived from `text`, as 32 hex digits."""
    digest = bytearray(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:16])
    digest[6] = 0x80 | digest[6] & 0x0F
    digest[8] = 0x80 | digest[8] & 0x3F
    return digest.hex()


def uuid7(unix_ms: int, noise: bytes) -> str:
    """Return a UUID of version 7 (RFC 9562, 5.7) for `unix_ms` with 10 bytes of `noise`, as 32 hex digits."""
    raw = bytearray((unix_ms & 0xFFFF_FFFF_FFFF).to_bytes(6, "big") + noise[:10].ljust(10, b"\0"))
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    return raw.hex()


def _as_uuid(value: str) -> str | None:
    try:
        return uuid.UUID(value).hex
    except ValueError:
        return None


def _evaluate(expression: str, caller: Caller) -> str:
    head, dot, part = expression.partition(".")
    if expression.startswith("header:"):
        return _first(caller.headers, expression[7:]).strip()
    address = _address_of(head, caller)
    return _user(address) if dot and part == "user" else _bare(address)


def _address_of(head: str, caller: Caller) -> str:
    calling = _first(caller.headers, "p-asserted-identity") or _first(caller.headers, "from")
    if head == "agent":
        return caller.agent_aor or (caller.request_uri if caller.direction is Direction.INBOUND else _from(caller))
    if head == "customer":
        return calling if caller.direction is Direction.INBOUND else caller.request_uri
    if head == "uri":
        return caller.request_uri
    return _first(caller.headers, {"pai": "p-asserted-identity"}.get(head, head))


def _from(caller: Caller) -> str:
    return _first(caller.headers, "from")


def _first(headers: Headers, name: str) -> str:
    return next(iter(headers.get(name.lower(), ())), "")


def _bare(value: str) -> str:
    """Return `sip:user@host` without display name, parameters and port."""
    match = _ADDRESS.search(value)
    if match is None:
        return ""
    scheme, _, rest = match[0].partition(":")
    user, at, host = rest.rpartition("@")
    if at and not host.endswith("]"):
        host = re.sub(r":[0-9]+$", "", host)
    return f"{scheme.lower()}:{user.partition(':')[0]}{at}{host.lower()}"


def _user(value: str) -> str:
    """Return the user part, percent-decoded, or the number of a tel URI."""
    address = _bare(value)
    scheme, _, rest = address.partition(":")
    user, at, host = rest.rpartition("@")
    return unquote(user) if at else (host if scheme == "tel" else "")
