from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from livemon.api.identity import LIFETIME, PER_ADDRESS, PER_USER, TOUCH_MS, WINDOW_MS, Identity
from livemon.api.passwords import Passwords
from livemon.errors import Refused
from livemon.store.engine import Store
from livemon.store.records import User
from livemon.store.users import Users
from tests.web_site import FAST, PASSWORD


@dataclass
class Scene:
    identity: Identity
    users: Users
    now_ms: int = 1_000_000
    recorded: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def attempt(self, login: str = "sue", password: str = PASSWORD, remote: str = "10.0.0.1") -> str:
        try:
            await self.identity.log_in(login, password, remote)
        except Refused as refused:
            return refused.id
        return ""


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    store = Store(f"sqlite:///{tmp_path}/a.db")
    await store.migrate()
    passwords = Passwords(FAST)

    async def record(kind: str, fields: dict[str, Any]) -> None:
        made.recorded.append((kind, fields))

    users = Users(store)
    made = Scene(Identity(users, passwords, record, lambda: made.now_ms), users)
    await made.identity.create(User("u1", "sue", "Sue", "supervisor", False, 0, ("blue",)), PASSWORD)
    yield made
    passwords.close()
    await store.close()


async def test_one_address_may_fail_so_often(scene: Scene) -> None:
    for number in range(PER_ADDRESS):
        assert await scene.attempt(f"user-{number}", "wrong") == "wrong_login"
    assert await scene.attempt() == "too_many_attempts"
    assert await scene.attempt(remote="10.0.0.2") == ""
    scene.now_ms += WINDOW_MS
    assert await scene.attempt() == ""


@pytest.mark.parametrize("login", ["sue", "nobody"])
async def test_one_user_may_be_guessed_so_often_from_wherever_known_or_not(scene: Scene, login: str) -> None:
    for number in range(PER_USER):
        assert await scene.attempt(login, "wrong", f"10.0.1.{number}") == "wrong_login"
    assert await scene.attempt(login, PASSWORD, "10.0.2.1") == "too_many_attempts"
    scene.now_ms += WINDOW_MS
    assert await scene.attempt(login, PASSWORD, "10.0.2.1") == ("" if login == "sue" else "wrong_login")


async def test_a_session_ends_idle_and_ends_absolutely(scene: Scene) -> None:
    idle_ms, absolute_ms = LIFETIME
    secret, _ = await scene.identity.log_in("sue", PASSWORD, "10.0.0.1")
    start = scene.now_ms
    while scene.now_ms < start + absolute_ms - idle_ms:
        scene.now_ms += idle_ms - TOUCH_MS
        assert await scene.identity.who(secret) is not None
    scene.now_ms = start + absolute_ms
    assert await scene.identity.who(secret) is None
    secret, _ = await scene.identity.log_in("sue", PASSWORD, "10.0.0.1")
    scene.now_ms += idle_ms
    assert await scene.identity.who(secret) is None is await scene.identity.who("guess")


async def test_a_disabled_user_is_out_at_once_and_cannot_return(scene: Scene) -> None:
    secret, who = await scene.identity.log_in("sue", PASSWORD, "10.0.0.1")
    await scene.users.save(User("u1", "sue", "Sue", "supervisor", True, 0, (), (), who.user.password_hash), 0)
    assert await scene.identity.who(secret) is None
    assert await scene.attempt() == "wrong_login"
    assert scene.recorded[-1][1]["reason"] == "disabled"


async def test_a_sign_in_that_cannot_be_recorded_does_not_happen(scene: Scene) -> None:
    async def broken(kind: str, fields: dict[str, Any]) -> None:
        raise Refused("audit_unavailable", "disk full", 503)

    scene.identity._record = broken
    assert await scene.attempt() == "audit_unavailable"
    async with scene.users._store.read() as connection:
        assert (await connection.exec_driver_sql("select count(*) from sessions")).scalar() == 0


async def test_setup_tokens_cannot_be_guessed_without_end(scene: Scene) -> None:
    await scene.users.save(User("u1", "sue", "Sue", "supervisor", False, 0), 0)
    user = User("", "root", "Root", "admin", False, 0)
    ids = []
    for _ in range(PER_ADDRESS + 1):
        with pytest.raises(Refused) as refused:
            await scene.identity.create_first("right", "wrong", user, PASSWORD, "10.0.0.9")
        ids.append(refused.value.id)
    assert ids == ["wrong_token"] * PER_ADDRESS + ["too_many_attempts"]
