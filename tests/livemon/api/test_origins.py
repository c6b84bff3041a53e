from __future__ import annotations

import pytest

from livemon.api.origins import Origins

ORIGINS = Origins("http", ["https://Monitor.example/"], names=["desk"])


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("http://[::1]:8080", "[::1]:8080", True),
        ("http://localhost:8080", "localhost:8080", True),
        ("http://Desk:8080", "desk:8080", True),
        ("https://monitor.example", "whatever", True),
        ("http://127.0.0.1:8081", "127.0.0.1:8080", False),
        ("https://127.0.0.1:8080", "127.0.0.1:8080", False),
        ("http://rebound.example:8080", "rebound.example:8080", False),
        ("http://127.0.0.1.evil.example", "127.0.0.1.evil.example", False),
        ("http://[::1", "[::1", False),
        ("null", "127.0.0.1:8080", False),
        ("http://127.0.0.1:8080", None, False),
        ("", "127.0.0.1:8080", False),
        (None, "127.0.0.1:8080", False),
    ],
)
def test_only_our_own_pages_are_let_in(origin: str | None, host: str | None, allowed: bool) -> None:
    assert ORIGINS.allowed(origin, host) is allowed
