from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters

from livemon.api import passwords as module
from livemon.api.passwords import Passwords
from livemon.errors import Refused
from tests.web_site import FAST


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    made = Passwords(FAST)
    yield made
    made.close()


async def test_a_password_matches_its_own_hash_only(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$") and "correct" not in stored
    assert await passwords.matches(stored, "correct horse")
    assert not await passwords.matches(stored, "correct horsE")
    assert not await passwords.matches("damaged", "correct horse")


async def test_nobody_is_let_in_even_with_the_stand_ins_password(passwords: Passwords) -> None:
    assert not await passwords.matches(None, "nobody has this password")


@pytest.mark.parametrize("password", ["short", "x" * 257])
async def test_length_has_limits(passwords: Passwords, password: str) -> None:
    with pytest.raises(Refused) as refused:
        await passwords.hash(password)
    assert (refused.value.id, refused.value.status) == ("weak_password", 422)


class Counted(PasswordHasher):
    """Notes the parameters of every hash that it computes to compare."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.computed: list[Parameters] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's own word
        self.computed.append(extract_parameters(str(hash)))
        return super().verify(hash, password)


async def test_an_unknown_user_costs_the_time_of_a_wrong_password() -> None:
    hasher = Counted()
    passwords = Passwords(hasher)
    stored = await passwords.hash("correct horse")
    assert not await passwords.matches(stored, "a wrong one")
    assert not await passwords.matches(None, "a wrong one")
    passwords.close()
    known, unknown = hasher.computed
    assert known == unknown


async def test_too_many_at_once_are_told_to_come_back(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAITING", 4)
    results = await asyncio.gather(*(passwords.matches(None, "x") for _ in range(10)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, Refused)]
    assert [one.status for one in refused] == [503] * 6
