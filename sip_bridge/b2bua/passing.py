"""What is copied from one leg to the other: every header but those of one hop or one dialog, and every body.

Identifiers of a dialog inside other headers (Replaces, Refer-To, Event, RAck) are written as the other side knows
them; SDP goes through the media hook.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

from sip_bridge.b2bua.bodies import replace_sdp
from sip_bridge.b2bua.call import Call
from sip_bridge.b2bua.offer import Exchange
from sip_bridge.b2bua.table import CallTable
from sip_bridge.hooks import Hop, Side
from sip_bridge.message import Header, Request, Response
from sip_bridge.uri import parse_address

OWN: Final = frozenset(
    (
        "via", "from", "to", "call-id", "cseq", "contact", "route", "record-route", "max-forwards", "content-length",
        "rack", "proxy-require",
    )
)  # fmt: skip
"""Headers that belong to one hop or one dialog and are written anew on the other leg."""

_REPLACES: Final = re.compile(r"([?&]replaces=)([^&>\s]+)", re.I)


def passed(table: CallTable, message: Request | Response) -> list[Header]:
    """Return the headers that go over, with dialog identifiers translated."""
    out: list[Header] = []
    for header in message.headers:
        name, value = header
        if name in OWN:
            continue
        if name == "replaces":
            out.append((name, table.translate_replaces(value)))
        elif name == "refer-to" and "eplaces" in value:
            out.append((name, _refer_to(table, value)))
        else:
            out.append(header)
    return out


def _refer_to(table: CallTable, value: str) -> str:
    def translate(match: re.Match[str]) -> str:
        return match.group(1) + quote(table.translate_replaces(unquote(match.group(2))), safe="@.")

    return _REPLACES.sub(translate, value)


def replaces_in(query: str) -> str:
    """Return the Replaces value among the headers of a URI, unescaped; '' when there is none."""
    match = _REPLACES.search(f"?{query}")
    return unquote(match.group(2)) if match else ""


def event_id(call: Call, sender: Side, headers: list[Header]) -> list[Header]:
    """Translate `Event: refer;id=N`: N is the sequence number of the REFER as its own sender wrote it."""
    out: list[Header] = []
    for name, value in headers:
        package, _, number = value.partition(";id=")
        known = call.refer_ids.get((sender, number.strip())) if name == "event" and number else None
        out.append((name, f"{package};id={known}") if known else (name, value))
    return out


def rack(request: Request, invite_cseq: int) -> list[Header]:
    """Return the RAck for the other leg: same response number, that leg's INVITE (RFC 3262, 7.2)."""
    parts = (request.get("rack") or "").split()
    return [("rack", f"{parts[0]} {invite_cseq} {parts[2]}")] if len(parts) == 3 else []


def contact(table: CallTable, hop: Hop, message: Request | Response) -> str:
    """Return our Contact towards `hop`, with the feature tags of the sender's own (RFC 3840)."""
    own = table.layer.contact(hop)
    theirs = message.get("contact") or ""
    if "<" not in theirs or ">;" not in theirs:
        return own
    address = parse_address(theirs)
    return own + address.tail if address is not None and "," not in address.tail else own


def body(
    table: CallTable,
    call: Call,
    sender: Side,
    message: Request | Response,
    exchange: Exchange,
    branch: str = "",
    reliable: bool = True,
) -> bytes:
    """Return the body for the other side, its SDP anchored by the media hook."""

    def change(sdp: bytes) -> bytes:
        return table.media.sdp(call.key, sender, exchange.role(sender, sdp, branch, reliable), sdp)

    return replace_sdp(message, change) if message.body else b""


def response_headers(table: CallTable, hop: Hop, response: Response) -> list[Header]:
    """Return the headers of a relayed response, with our Contact towards `hop`."""
    headers = passed(table, response)
    headers.append(("contact", contact(table, hop, response)))
    return headers


def is_reliable(response: Response) -> bool:
    """Tell whether a response is sure to arrive: final, or a 1xx with RSeq (RFC 3262, 3)."""
    return response.status >= 200 or response.get("rseq") is not None
