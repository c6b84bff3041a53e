"""Finds the SDP in a body, which may be one part of a multipart body (RFC 5621)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sip_bridge.message import Request, Response
from sip_bridge.uri import parameters

MAX_PARTS: Final = 16
"""Body parts looked at: SIPREC sends two, a text-plus-location call four."""
_SDP_PART: Final = re.compile(rb"^(?:content-type|c)[ \t]*:[ \t]*application/sdp[ \t]*(?:;[^\r\n]*)?\r?$", re.I | re.M)


def sdp_range(message: Request | Response) -> tuple[int, int] | None:
    """Return where the SDP begins and ends in the body, None when there is none we can read."""
    if not message.body:
        return None
    content = message.get("content-type") or ""
    kind = content.partition(";")[0].strip().lower()
    # RFC 3261, 20.12: an encoded body is not ours to open.
    if (message.get("content-encoding") or "identity").lower() != "identity":
        return None
    if kind == "application/sdp":
        return (0, len(message.body))
    if kind.startswith("multipart/"):
        return _part(message.body, parameters(content).get("boundary", "").strip('"'))
    return None


def replace_sdp(message: Request | Response, change: Callable[[bytes], bytes]) -> bytes:
    """Return the body with its SDP changed and every other byte kept."""
    found = sdp_range(message)
    if found is None:
        return message.body
    start, end = found
    return message.body[:start] + change(message.body[start:end]) + message.body[end:]


def _part(body: bytes, boundary: str) -> tuple[int, int] | None:
    """Find the first application/sdp part (RFC 2046, 5.1.1)."""
    if not boundary:
        return None
    mark = b"--" + boundary.encode("utf-8", "surrogateescape")
    at = body.find(mark)
    for _ in range(MAX_PARTS):
        start = at + len(mark)
        at = body.find(b"\n" + mark, start)
        if at < 0:
            return None
        end = at - 1 if body[at - 1 : at] == b"\r" else at
        head, content = _split(body, start, end)
        if _SDP_PART.search(body, start, head):
            return (content, end)
        at += 1
    return None


def _split(body: bytes, start: int, end: int) -> tuple[int, int]:
    """Return where the headers of a part end and its content begins."""
    for gap in (b"\r\n\r\n", b"\n\n"):
        at = body.find(gap, start, end)
        if at >= 0:
            return at + len(gap) // 2, at + len(gap)
    return start, end
