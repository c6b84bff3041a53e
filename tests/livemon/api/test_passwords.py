from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from argon2 import PasswordHasher

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


@pytest.mark.slow
async def test_an_unknown_user_costs_the_time_of_a_wrong_password() -> None:
    passwords = Passwords(PasswordHasher())
    stored = await passwords.hash("correct horse")
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(5):
        for known in (True, False):
            before = time.thread_time_ns(), time.perf_counter()
            await passwords.matches(stored if known else None, "a wrong one")
            times[known].append(time.perf_counter() - before[1])
    passwords.close()
    assert 0.4 < min(times[True]) / min(times[False]) < 2.5


async def test_too_many_at_once_are_told_to_come_back(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAITING", 4)
    results = await asyncio.gather(*(passwords.matches(None, "x") for _ in range(10)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, Refused)]
    assert [one.status for one in refused] == [503] * 6
