from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from livemon.store.engine import Store
from livemon.store.seed import SeedUser, seed_users
from livemon.store.users import Users

SUE = SeedUser("Sue", "Sue", "supervisor", "first", ("red", "blue"))


class Plain:
    """Hashes nothing, so that the test can look."""

    async def hash(self, password: str) -> str:
        return f"hash of {password}"

    async def matches(self, stored: str | None, password: str) -> bool:
        return stored == f"hash of {password}"


async def test_users_are_added_once_and_follow_the_file(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/a.db")
    await store.migrate()
    users = Users(store)
    assert await seed_users(users, [SUE, SeedUser("wall", "Wall", "wallboard")], Plain(), 1) == ["Sue", "wall"]
    assert await seed_users(users, [SUE], Plain(), 2) == []
    sue = await users.by_login("sue")
    assert sue is not None and (sue.id, sue.teams) == ("user-sue", ("blue", "red"))

    await users.save(replace(sue, password_hash="set by an admin", disabled=True), 3)
    assert await seed_users(users, [replace(SUE, role="qa", password="second")], Plain(), 4) == ["Sue"]
    sue = await users.by_login("sue")
    assert sue is not None and (sue.role, sue.password_hash, sue.disabled) == ("qa", "set by an admin", True)

    assert await seed_users(users, [SeedUser("wall", "Wall", "wallboard", "now")], Plain(), 5) == ["wall"]
    wall = await users.by_login("wall")
    assert wall is not None and wall.password_hash == "hash of now"
    await store.close()
