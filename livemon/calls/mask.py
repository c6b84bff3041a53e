"""Customer numbers as pages show them."""

from __future__ import annotations

import re

KEPT = 4
"""Digits that stay readable: enough to find a call again together with the agent, too few to dial."""
_KEPT_SHORT = 3
_SHORT = 7
"""Numbers up to this length keep three digits, so that at least half of them is hidden."""
MAX_SHOWN = 64
"""Characters of a name that is not a number."""

_NUMBER = re.compile(r"[+]?[0-9()./ -]*[0-9][0-9()./ -]*")
_SIP = re.compile(r"(?:sips?|tel):([^@;>]*)", re.IGNORECASE)


def mask_number(customer: str) -> str:
    """Return `customer` with all but its last three or four digits hidden, e.g. "•••• 4711".

    A URI is reduced to its user part; a name that is no number (an internal extension's name) is kept, since it is
    what a person would call the other side.
    """
    text = match.group(1) if (match := _SIP.search(customer)) else customer
    text = "".join(character for character in text if character.isprintable()).strip()
    if not _NUMBER.fullmatch(text):
        return text[:MAX_SHOWN]
    digits = [character for character in text if character.isdigit()]
    kept = _KEPT_SHORT if len(digits) <= _SHORT else KEPT
    if len(digits) <= kept:
        return "".join(digits)
    return "•••• " + "".join(digits[-kept:])
