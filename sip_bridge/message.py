"""SIP messages: bytes to `Request`, `Response` or `BadMessage`, and back.

Header text is UTF-8 with surrogate escapes, so that any byte comes out as it went in; bodies stay bytes. Parsing never
raises: what cannot be used becomes a `BadMessage`, with a status when its sender can be answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sip_bridge.headers import (
    METHODS,
    REASONS,
    SINGLE,
    TOKEN,
    CSeq,
    Via,
    canonical,
    display,
    parse_cseq,
    parse_via,
    split_list,
)
from sip_bridge.uri import parse_address, tag_of

MAX_MESSAGE: Final = 65536
"""Bytes of one message: what fits a UDP datagram."""
MAX_LINE: Final = 4096
"""Bytes of one header line, folds included: seven times the longest in RFC 4475, and too short for quadratic games."""
MAX_HEADERS: Final = 128
"""Header lines of one message; a request through 20 proxies has about 60."""

Header = tuple[str, str]
"""Lower-case long name and value."""

_LF: Final = re.compile(r"\r?\n")
_FOLD: Final = re.compile(r"\r\n[ \t]+")
_RPORT: Final = re.compile(r";\s*rport\s*(?:=[^;]*)?(?=;|\Z)", re.I)
# RFC 3261, 25.1: inside quotes an escaped NUL is text (RFC 4475, 3.1.1.2 sends one); a bare one never is.
_BARE_NUL: Final = re.compile(r"(?<!\\)\0")
_NO_CSEQ: Final = CSeq(0, "")


class _Message:
    """What requests and responses share; a `HeaderView`."""

    __slots__ = ("_first", "body", "cseq", "headers", "via")

    def __init__(self, headers: list[Header], body: bytes, via: Via | None, cseq: CSeq) -> None:
        self.headers = headers
        self.body = body
        self.via = via
        self.cseq = cseq
        self._first: dict[str, str] | None = None

    def get(self, name: str) -> str | None:
        """Return the first value of `name` (lower case), or None."""
        first = self._first
        if first is None:
            first = self._first = dict(reversed(self.headers))
        return first.get(name)

    def remember(self, first: dict[str, str]) -> None:
        """Take over the first value of each header, which the parser knows already."""
        self._first = first

    def all(self, name: str) -> list[str]:
        """Return every value of `name`, one list item per header line."""
        return [value for key, value in self.headers if key == name]

    def items(self, name: str) -> list[str]:
        """Return every list item of `name`, commas split."""
        return [item for key, value in self.headers if key == name for item in split_list(value)]

    @property
    def call_id(self) -> str:
        """The Call-ID, '' when missing."""
        return self.get("call-id") or ""

    @property
    def from_tag(self) -> str:
        """The tag of From, '' when missing."""
        return tag_of(self.get("from") or "")

    @property
    def to_tag(self) -> str:
        """The tag of To, '' when missing."""
        return tag_of(self.get("to") or "")

    @property
    def contact(self) -> str | None:
        """The URI of the first Contact, or None when there is none or it is malformed."""
        items = self.items("contact")
        address = parse_address(items[0]) if items else None
        return address.uri if address else None

    def _encode(self, start: str) -> bytes:
        lines = [start]
        lines += [f"{display(name)}: {value}" for name, value in self.headers if name != "content-length"]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


class Request(_Message):
    """A request; `cseq.method` is its method unless it is malformed."""

    __slots__ = ("method", "source", "uri")

    def __init__(
        self,
        method: str,
        uri: str,
        headers: list[Header],
        body: bytes = b"",
        via: Via | None = None,
        cseq: CSeq = _NO_CSEQ,
    ) -> None:
        super().__init__(headers, body, via, cseq)
        self.method = method
        self.uri = uri

    @property
    def max_forwards(self) -> int:
        """Hops this request may still go; 70 when it does not say (RFC 3261, 8.1.1.6)."""
        return int(self.get("max-forwards") or 70)

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return self._encode(f"{self.method} {self.uri} SIP/2.0")

    def received_from(self, host: str, port: int) -> None:
        """Note the source in the top Via (RFC 3261, 18.2.1; RFC 3581, 4)."""
        via = self.via
        if via is None:
            return
        text = via.text
        if via.rport:
            text = _RPORT.sub(f";rport={port}", text, count=1)
        if via.rport or via.host.strip("[]") != host:
            text += f";received={host}"
        if text is not via.text:
            at = next(index for index, (name, _) in enumerate(self.headers) if name == "via")
            self.headers[at] = ("via", text)
            self._first = None


class Response(_Message):
    """A response; `generated` marks a 408 or 503 the transaction layer made up (RFC 3261, 8.1.3.1)."""

    __slots__ = ("generated", "reason", "status")

    def __init__(
        self,
        status: int,
        reason: str,
        headers: list[Header],
        body: bytes = b"",
        via: Via | None = None,
        cseq: CSeq = _NO_CSEQ,
        generated: bool = False,
    ) -> None:
        super().__init__(headers, body, via, cseq)
        self.status = status
        self.reason = reason
        self.generated = generated

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return self._encode(f"SIP/2.0 {self.status} {self.reason}")


@dataclass(frozen=True, slots=True)
class BadMessage:
    """Why a message was refused; `status` None means: nobody to answer, drop it."""

    status: int | None
    reason: str
    request: Request | None = None


def reply(
    request: Request,
    status: int,
    reason: str = "",
    headers: Iterable[Header] = (),
    body: bytes = b"",
    to_tag: str = "",
) -> Response:
    """Build the response to `request` (RFC 3261, 8.2.6.2); `to_tag` is added where To has none yet."""
    kept = [(name, value) for name, value in request.headers if name == "via"]
    to = request.get("to") or ""
    if to_tag and status > 100 and not tag_of(to):
        to = f"{to};tag={to_tag}"
    kept.append(("from", request.get("from") or ""))
    kept.append(("to", to))
    kept.append(("call-id", request.call_id))
    kept.append(("cseq", request.get("cseq") or ""))
    kept.extend(headers)
    return Response(status, reason or REASONS.get(status, "Unknown"), kept, body, request.via, request.cseq)


def parse_message(data: bytes, stream: bool = False) -> Request | Response | BadMessage:
    """Read one message; `stream` says that it was cut from a byte stream, where a length is compulsory."""
    if len(data) > MAX_MESSAGE:
        return BadMessage(None, "longer than 64 kB")
    cut = data.find(b"\r\n\r\n")
    if cut < 0:
        # A datagram without its empty line is still one message.
        if stream or not data.endswith(b"\r\n"):
            return BadMessage(None, "no end of headers")
        cut = len(data) - 2
    return _parse(data[:cut].decode("utf-8", "surrogateescape"), data[cut + 4 :], stream)


def _parse(text: str, body: bytes, stream: bool) -> Request | Response | BadMessage:
    if text.count("\n") != text.count("\r\n"):
        text = _LF.sub("\r\n", text)  # libre 4.10 ends its RAck line with a bare LF, old adapters every line
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\r\n")
    suspect = len(text) > MAX_LINE or "\r" in text.replace("\r\n", "")
    start = lines[0].split(" ", 2)
    if len(start) < 2:
        return BadMessage(None, "no start line")
    headers, complaint = _read_headers(lines, suspect)
    via = next((value for name, value in headers if name == "via"), "")
    if not via:
        return BadMessage(None, "no Via")
    top = _split_top_via(headers, via)
    if top is None:
        return BadMessage(None, "bad Via")
    if "\0" in text and _BARE_NUL.search(text):
        complaint = "NUL In Header"
    if not top.sound:
        complaint = complaint or "Bad Via"
    if start[0].upper() == "SIP/2.0":
        return _response(start, headers, body, top, complaint)
    return _request(lines[0], headers, body, top, complaint, stream)


def _read_headers(lines: list[str], suspect: bool) -> tuple[list[Header], str]:
    """Return the headers and the first complaint about them; `suspect` says that single lines must be looked at."""
    headers: list[Header] = []
    seen: set[str] = set()
    complaint = ""
    if len(lines) > MAX_HEADERS + 1:
        complaint = "Too Many Headers"
    for line in lines[1 : MAX_HEADERS + 1]:
        name, colon, value = line.partition(":")
        if not colon or (suspect and (len(line) > MAX_LINE or "\r" in line)):
            complaint = complaint or "Malformed Header"
            continue
        name = canonical(name)
        if name in SINGLE:
            if name in seen:
                complaint = complaint or f"Duplicate {display(name)}"
            seen.add(name)
        elif not name:
            complaint = complaint or "Malformed Header"
            continue
        headers.append((name, value.strip()))
    return headers, complaint


def _split_top_via(headers: list[Header], value: str) -> Via | None:
    """Put the top Via on a line of its own and read it."""
    if "," not in value:
        return parse_via(value)
    items = split_list(value)
    if not items:
        return None
    if value.endswith(",") or value.count(",") >= MAX_HEADERS:
        top = parse_via(items[0])
        return top and top._replace(sound=False)
    if len(items) > 1:
        at = headers.index(("via", value))
        headers[at : at + 1] = [("via", item) for item in items]
    return parse_via(items[0])


def _response(start: list[str], headers: list[Header], body: bytes, via: Via, complaint: str) -> Response | BadMessage:
    code = start[1]
    if len(code) != 3 or not (code.isascii() and code.isdigit()) or not 100 <= int(code) <= 699:
        return BadMessage(None, "bad status")
    first = dict(reversed(headers))
    cseq = parse_cseq(first.get("cseq", ""))
    length = _body_length(first, len(body), False)
    complaint = complaint or _addresses(first) or ("bad CSeq" if cseq is None else "")
    if complaint or cseq is None or length < 0:
        return BadMessage(None, complaint or "bad Content-Length")
    response = Response(int(code), start[2] if len(start) > 2 else "", headers, body[:length], via, cseq)
    response.remember(first)
    return response


def _request(
    line: str, headers: list[Header], body: bytes, via: Via, complaint: str, stream: bool
) -> Request | BadMessage:
    words = line.split()
    if len(words) < 3 or not words[-1].upper().startswith("SIP/"):
        return BadMessage(None, "not SIP")
    method, uri, version = words[0], " ".join(words[1:-1]), words[-1]
    first = dict(reversed(headers))
    cseq = parse_cseq(first.get("cseq", ""))
    request = Request(method, uri, headers, body, via, cseq or _NO_CSEQ)
    if version.upper() != "SIP/2.0":
        return BadMessage(505, REASONS[505], request)
    if not TOKEN.match(method) or len(line.split(" ")) != 3 or uri[0] == "<":
        return BadMessage(400, "Malformed Request-Line", request)
    length = _body_length(first, len(body), stream)
    complaint = complaint or _addresses(first) or _numbers(first) or ("Bad Content-Length" if length < 0 else "")
    if complaint or cseq is None:
        return BadMessage(400, complaint or "Bad CSeq", request)
    if cseq.method != method:
        # RFC 4475, 3.1.2.17: an unknown method may be refused as such.
        return BadMessage(400 if method in METHODS else 501, "CSeq Method Mismatch", request)
    request.body = body[:length]
    request.remember(first)
    return request


def _addresses(first: dict[str, str]) -> str:
    """Return what is wrong with From, To and Call-ID, '' if nothing."""
    for name in ("from", "to"):
        value = first.get(name)
        if not value:
            return f"Missing {display(name)}"
        if parse_address(value) is None:
            return f"Bad {display(name)}"
    return "" if first.get("call-id") else "Missing Call-ID"


def _numbers(first: dict[str, str]) -> str:
    """Return which ranged number is wrong, '' if none."""
    hops = first.get("max-forwards")
    # RFC 3261, 20.22: 0 to 255.
    if hops is not None and not (hops.isascii() and hops.isdigit() and len(hops) <= 9 and int(hops) <= 255):
        return "Bad Max-Forwards"
    return ""


def _body_length(first: dict[str, str], have: int, stream: bool) -> int:
    """Return how many bytes of body there are, -1 when the header is wrong (RFC 3261, 18.3)."""
    text = first.get("content-length")
    if text is None:
        return -1 if stream else have
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) > have:
        return -1
    return int(text)
