"""Header names, lists and the few headers the stack must understand."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from sip_bridge.uri import MAX_PORT

COMPACT: Final = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type",
    "k": "supported", "s": "subject", "e": "content-encoding", "x": "session-expires", "r": "refer-to",
    "b": "referred-by", "o": "event", "u": "allow-events", "a": "accept-contact", "j": "reject-contact",
    "d": "request-disposition", "y": "identity",
}  # fmt: skip
"""Compact forms of the IANA registry."""

SINGLE: Final = frozenset(("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type"))
"""Headers that may stand once: a second one could mean different things to two readers (RFC 4475, 3.3.8)."""

METHODS: Final = (
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE",
    "INFO", "MESSAGE", "REFER", "NOTIFY", "SUBSCRIBE", "PUBLISH",
)  # fmt: skip
"""Methods the bridge knows; inside a dialog every other one is passed as well."""

REASONS: Final = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 200: "OK",
    202: "Accepted", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 413: "Request Entity Too Large", 415: "Unsupported Media Type",
    416: "Unsupported URI Scheme", 420: "Bad Extension", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending",
    500: "Server Internal Error", 501: "Not Implemented", 503: "Service Unavailable", 505: "Version Not Supported",
    513: "Message Too Large",
}  # fmt: skip

_DISPLAY: Final = {
    "call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate", "rseq": "RSeq", "rack": "RAck",
    "min-se": "Min-SE", "mime-version": "MIME-Version", "sip-etag": "SIP-ETag", "sip-if-match": "SIP-If-Match",
}  # fmt: skip

TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z")
_VIA: Final = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*([A-Za-z0-9\-.!%*_+`'~]+)\s+(\[[0-9a-f:.]+\]|[A-Za-z0-9_.\-]+)\s*(?::\s*([0-9]{1,5}))?\s*(;.*)?\Z",
    re.I | re.S,
)
_CSEQ: Final = re.compile(r"([0-9]{1,10})\s+(\S+)\Z")
MAX_CSEQ: Final = 2**31 - 1
"""RFC 3261, 8.1.1.5."""


@lru_cache(maxsize=1024)
def canonical(raw: str) -> str:
    """Return the lower-case long name of a header as it stood on the wire, '' when it is no token."""
    name = raw.strip().lower()
    return COMPACT.get(name, name) if TOKEN.match(name) else ""


@lru_cache(maxsize=1024)
def display(name: str) -> str:
    """Return how a lower-case name is written on the wire."""
    return _DISPLAY.get(name) or "-".join(part.capitalize() for part in name.split("-"))


def split_list(value: str) -> list[str]:
    """Split a header value at its commas, not at those inside quotes or angle brackets."""
    if "," not in value:
        return [value]
    if '"' not in value and "<" not in value:
        return [item for part in value.split(",") if (item := part.strip())]
    cuts = _commas(value)
    parts = [value[start:end] for start, end in zip([0, *(cut + 1 for cut in cuts)], [*cuts, len(value)], strict=True)]
    return [item for part in parts if (item := part.strip())]


def _commas(value: str) -> list[int]:
    cuts: list[int] = []
    quoted = escaped = angle = False
    for at, char in enumerate(value):
        if quoted:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char in "<>":
            angle = char == "<"
        elif char == "," and not angle:
            cuts.append(at)
    return cuts


class Via(NamedTuple):
    """The top Via: `host` as written but in lower case, `branch` '' when there is none, `text` the whole value.

    `sound` is False when a parameter is malformed: good enough to answer to, not to accept (RFC 4475, 3.1.2.1).
    """

    transport: str
    host: str
    port: int | None
    branch: str
    rport: bool
    text: str
    sound: bool = True


def parse_via(text: str) -> Via | None:
    """Read one Via value (RFC 3261, 20.42), or return None."""
    match = _VIA.match(text)
    if match is None:
        return None
    transport, host, port, tail = match.groups()
    number = int(port) if port else None
    if number is not None and number > MAX_PORT:
        return None
    branch = ""
    rport = False
    sound = True
    for part in (tail or "").split(";")[1:]:
        name, _, value = part.partition("=")
        name = name.strip().lower()
        sound = sound and bool(name)
        if name == "branch" and not branch:
            branch = value.strip()
        elif name == "rport":
            rport = True
    return Via(transport.upper(), host.lower(), number, branch, rport, text, sound)


class CSeq(NamedTuple):
    """A CSeq: number and method."""

    number: int
    method: str


@lru_cache(maxsize=256)
def parse_cseq(text: str) -> CSeq | None:
    """Read a CSeq value, or return None when it is malformed or its number out of range."""
    match = _CSEQ.match(text)
    if match is None or (number := int(match.group(1))) > MAX_CSEQ:
        return None
    return CSeq(number, match.group(2))
