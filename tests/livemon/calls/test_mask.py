from __future__ import annotations

import pytest

from livemon.calls.mask import mask_number


@pytest.mark.parametrize(
    ("customer", "shown"),
    [
        ("+49 30 1234711", "•••• 4711"),
        ("sip:+493012345678@carrier.example;user=phone", "•••• 5678"),
        ("<tel:0301234711>", "•••• 4711"),
        ("1234567", "•••• 567"),
        ("201", "201"),
        ("anonymous", "anonymous"),
        ("sip:bob@example.org", "bob"),
        ("", ""),
        ("a" * 100, "a" * 64),
        ("evil\r\nname\u202e", "evilname"),
    ],
)
def test_masked(customer: str, shown: str) -> None:
    assert mask_number(customer) == shown
