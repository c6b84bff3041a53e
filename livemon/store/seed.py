"""Brings users of the configuration into the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from livemon.store.records import User
from livemon.store.users import Users


class Hasher(Protocol):
    """Hashes and checks passwords."""

    async def hash(self, password: str) -> str:
        """Return the hash to store."""

    async def matches(self, stored: str | None, password: str) -> bool:
        """Return whether `password` is the one behind `stored`."""


@dataclass(frozen=True, slots=True)
class SeedUser:
    """A user that the configuration brings along; `password` empty means: no sign-in by password."""

    login: str
    name: str
    role: str
    password: str = field(default="", repr=False)
    teams: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()


async def seed_users(users: Users, wanted: Iterable[SeedUser], hasher: Hasher, now_ms: int) -> list[str]:
    """Add the users that are missing and bring name, role and scope of the others up to date; return who changed.

    A password of the configuration is set once; one that was changed later by an admin stays. A user that an admin
    disabled stays disabled.
    """
    changed: list[str] = []
    for seed in wanted:
        known = await users.by_login(seed.login)
        if known is None:
            hashed = await hasher.hash(seed.password) if seed.password else None
            # The id is made of the name, so that audit entries of a demonstration read alike from run to run.
            user = User(f"user-{seed.login.lower()}"[:64], seed.login, seed.name, seed.role, False, now_ms)
            await users.add(replace(user, teams=seed.teams, queues=seed.queues, password_hash=hashed))
            changed.append(seed.login)
            continue
        now = replace(
            known, name=seed.name, role=seed.role, teams=tuple(sorted(seed.teams)), queues=tuple(sorted(seed.queues))
        )
        if seed.password and known.password_hash is None:
            now = replace(now, password_hash=await hasher.hash(seed.password))
        if now != known:
            await users.save(now, now_ms)
            changed.append(seed.login)
    return changed
