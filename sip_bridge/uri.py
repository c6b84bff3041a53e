"""SIP URIs and name-addr values, read without trusting a byte of them.

Nothing here raises on bad text: a reader gets None. Every pattern is linear in the length of its input.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final, NamedTuple

from sip_bridge.hooks import Hop

MAX_PORT: Final = 65535
_URI: Final = re.compile(
    r"(sips?):(?:([^@\s<>\"]*)@)?(\[[0-9a-f:.]+\]|[a-z0-9_.\-]+)(?::([0-9]{1,5}))?((?:[;?][^\s<>\"]*)?)\Z", re.I
)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_TAG: Final = re.compile(r";\s*tag\s*=\s*([^;,\s>]+)", re.I)


class SipUri(NamedTuple):
    """A sip: or sips: URI; `host` has no brackets, `tail` holds the parameters and headers as written."""

    scheme: str
    user: str
    host: str
    port: int | None
    tail: str

    def parameter(self, name: str) -> str | None:
        """Return the value of the URI parameter `name` (lower case), '' for one without value, or None."""
        return parameters(self.tail.partition("?")[0]).get(name)


@lru_cache(maxsize=4096)
def parse_uri(text: str) -> SipUri | None:
    """Read a SIP URI, or return None."""
    match = _URI.match(text)
    if match is None:
        return None
    scheme, user, host, port, tail = match.groups()
    number = int(port) if port else None
    if number is not None and number > MAX_PORT:
        return None
    return SipUri(scheme.lower(), user or "", host.strip("[]").lower(), number, tail)


def has_foreign_scheme(text: str) -> bool:
    """Tell whether `text` is a URI of another scheme than sip or sips (RFC 3261, 21.4.14: 416)."""
    match = _SCHEME.match(text)
    return match is not None and match.group().lower() not in ("sip:", "sips:")


def parameters(text: str) -> dict[str, str]:
    """Read `;name=value;name` into a dict with lower-case names; text before the first semicolon is ignored."""
    out: dict[str, str] = {}
    for part in text.split(";")[1:]:
        name, _, value = part.partition("=")
        out.setdefault(name.strip().lower(), value.strip())
    return out


def blank_quotes(text: str) -> str | None:
    """Return `text` with every quoted string replaced by blanks of equal length; None if one does not end."""
    if '"' not in text:
        return text
    out: list[str] = []
    inside = escaped = False
    for char in text:
        if inside:
            out.append(" ")
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                inside = False
        else:
            inside = char == '"'
            out.append(" " if inside else char)
    return None if inside else "".join(out)


class Address(NamedTuple):
    """A name-addr or addr-spec: display part, URI text, and the header parameters behind it, as written."""

    display: str
    uri: str
    tail: str


@lru_cache(maxsize=2048)
def parse_address(value: str) -> Address | None:
    """Read a name-addr or addr-spec (RFC 3261, 20.10), or return None."""
    plain = blank_quotes(value)
    if plain is None:
        return None
    start = plain.find("<")
    if start < 0:
        uri, mark, tail = value.partition(";")
        uri = uri.strip()
        return Address("", uri, mark + tail) if uri and " " not in uri else None
    end = plain.find(">", start)
    uri = value[start + 1 : end].strip()
    if end < 0 or not uri:
        return None
    return Address(value[:start].strip(), uri, value[end + 1 :].strip())


@lru_cache(maxsize=2048)
def tag_of(value: str) -> str:
    """Return the tag of a From or To value, '' when it has none."""
    plain = value if '"' not in value else blank_quotes(value) or ""
    match = _TAG.search(plain, plain.rfind(">") + 1)
    return match.group(1) if match else ""


@lru_cache(maxsize=2048)
def without_tag(value: str) -> str:
    """Return a From or To value without its tag, in the form that can take parameters."""
    address = parse_address(value)
    if address is None:
        return value
    tail = _TAG.sub("", address.tail, count=1).strip()
    return f"{address.display} <{address.uri}>{tail}".lstrip()


def hostport(host: str, port: int) -> str:
    """Write host and port, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@lru_cache(maxsize=2048)
def hop_of(uri: SipUri, transport: str) -> Hop:
    """Return where a request with this URI goes; `transport` when the URI names none (numeric or plain A lookup)."""
    wanted = (uri.parameter("transport") or "").lower()
    return Hop(wanted if wanted in ("udp", "tcp") else transport, uri.host, uri.port or 5060)


@lru_cache(maxsize=4096)
def reach(host: str) -> int:
    """Grade an address: 0 nowhere (unspecified, loopback), 1 private, 2 public; -1 when it is a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return -1
    if address.is_unspecified or address.is_loopback:
        return 0
    # RFC 6598 shared space is neither private nor global, and as unreachable from outside as private space.
    return 2 if address.is_global else 1
