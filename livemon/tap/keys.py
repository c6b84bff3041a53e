"""The keys bridges authenticate with."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from livemon.errors import ConfigError

MIN_KEY = 32
"""Characters of the shortest key taken: 128 bits in hexadecimal."""


class LinkKeys:
    """The keys of the key file, one a line; more than one while keys are being changed."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = tuple(key.encode() for key in keys)

    @classmethod
    def read(cls, path: Path) -> LinkKeys:
        """Return the keys in `path`; raises ConfigError."""
        try:
            lines = path.read_text(encoding="ascii").splitlines()
        except (OSError, UnicodeError) as error:
            raise ConfigError(
                f"link.key_file: {path.name} cannot be read ({error}); `livemon serve` makes one, "
                "or write `openssl rand -hex 32` into it"
            ) from error
        keys = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
        if not keys or any(len(key) < MIN_KEY for key in keys):
            raise ConfigError(
                f"link.key_file: {path.name} needs keys of at least {MIN_KEY} characters; "
                "write `openssl rand -hex 32` into it"
            )
        return cls(keys)

    def accepts(self, authorization: str | None) -> bool:
        """Return whether an Authorization header carries one of the keys; takes the same time for every wrong key."""
        scheme, _, given = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        # Every key is compared, so that the time does not tell which one was nearly right.
        matches = [hmac.compare_digest(given.strip().encode(), key) for key in self._keys]
        return any(matches)


def ensure_key_file(path: Path) -> None:
    """Make a key file with a new key, readable by its owner alone, unless there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(fd, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
