"""Secrets handed to browsers."""

from __future__ import annotations

import hashlib
import secrets


def new_token() -> str:
    """Return 256 random bits as URL-safe text (ASVS 7.2.3 asks for at least 128)."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Return what is stored of a token; a plain hash is enough for something that cannot be guessed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
