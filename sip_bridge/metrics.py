"""Figures of the bridge in the Prometheus text format, hand-written: the bridge installs without extra packages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

Labels = tuple[tuple[str, str], ...]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
MAX_REQUEST: Final = 8192
"""Bytes of a scrape's request; Prometheus sends about 300."""


@dataclass(slots=True)
class Figure:
    """One metric: its name without prefix, kind (`counter`, `gauge`), what it says, and its values by labels."""

    name: str
    kind: str
    text: str
    values: dict[Labels, float] = field(default_factory=dict)


def exposition(figures: Sequence[Figure]) -> str:
    """Return the text that a scrape reads."""
    out = []
    for figure in figures:
        out.append(f"# HELP {figure.name} {figure.text}\n# TYPE {figure.name} {figure.kind}\n")
        for labels, value in sorted(figure.values.items()):
            shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
            out.append(f"{figure.name}{{{shown}}} {_number(value)}\n" if shown else f"{figure.name} {_number(value)}\n")
    return "".join(out)


def counted(name: str, text: str, counters: Mapping[str, int | float], label: str = "kind") -> Figure:
    """Return a counter with one value for each member of `counters`."""
    return Figure(name, "counter", text, {((label, key),): float(value) for key, value in counters.items()})


def single(name: str, kind: str, text: str, value: float) -> Figure:
    """Return a figure with one value and no labels."""
    return Figure(name, kind, text, {(): value})


def answer(request: bytes, body: str, ready: bool) -> bytes:
    """Return the HTTP answer to one scrape: `/metrics`, `/healthz` and `/readyz` (503 while draining)."""
    line = request.partition(b"\r\n")[0].decode("latin-1")
    match = re.match(r"^(GET|HEAD) (/\S*) HTTP/1\.[01]$", line)
    if match is None:
        return _http(400, "Bad Request", "only GET of HTTP/1.1\n")
    path = match[2].partition("?")[0]
    if path == "/metrics":
        return _http(200, "OK", body, CONTENT_TYPE)
    if path == "/healthz":
        return _http(200, "OK", "ok\n")
    if path == "/readyz":
        return _http(200, "OK", "ready\n") if ready else _http(503, "Service Unavailable", "draining\n")
    return _http(404, "Not Found", "try /metrics\n")


def _http(status: int, reason: str, body: str, kind: str = "text/plain; charset=utf-8") -> bytes:
    data = body.encode()
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n"
    return head.encode() + b"\r\n" + data


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
