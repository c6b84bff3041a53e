"""Password hashes: argon2id, computed off the event loop and never more than a few at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from livemon.errors import Refused

T = TypeVar("T")

_AT_ONCE: Final = 2
"""Hashes computed at once: each takes 64 MiB and a core for about 50 ms."""
_WAITING: Final = 32
"""Sign-ins that may wait, about one second's worth; the next is told to come back."""
MIN_LENGTH: Final = 10
"""Characters of a new password: NIST SP 800-63B asks for at least 8; the rate limit does the rest."""
MAX_LENGTH: Final = 256
"""Characters of a password: bounds the bytes to hash."""


class Passwords:
    """Hashes and checks passwords; an unknown user costs the same time as a wrong password."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Return the hash to store for a new password; raises Refused when it is too short or too long."""
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            raise Refused("weak_password", f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters", 422)
        return await self._run(lambda: self._hasher.hash(password))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Return whether `password` is the one behind `stored`; with None it takes as long, and is not."""
        given = password[: MAX_LENGTH + 1]
        right = await self._run(lambda: self._check(stored or self._nobody, given))
        return right and stored is not None

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _check(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= _WAITING:
            raise Refused("busy", "too many sign-ins at once, try again in a moment", 503)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
