from __future__ import annotations

from dataclasses import replace

import pytest

from livemon.errors import Refused
from livemon.store.engine import Store
from livemon.store.records import User
from livemon.store.users import SignIn, Users

ANNA = User("u1", "anna", "Anna", "supervisor", False, 100, teams=("blue",), queues=("*",), password_hash="h")
SIGN_IN = SignIn("hash", "u1", 1000, 1000, 500, 5000, "127.0.0.1")


@pytest.fixture
def users(store: Store) -> Users:
    return Users(store)


async def test_a_user_is_found_by_id_and_by_name_in_any_case(users: Users) -> None:
    await users.add(ANNA)
    assert await users.by_id("u1") == ANNA == await users.by_login("ANNA")
    assert await users.by_id("u2") is None is await users.by_login("bert")


async def test_a_name_is_given_once(users: Users) -> None:
    await users.add(ANNA)
    with pytest.raises(Refused) as refused:
        await users.add(replace(ANNA, id="u2", login="Anna"))
    assert (refused.value.id, refused.value.status) == ("login_taken", 409)
    assert [user.id for user in await users.all()] == ["u1"]


async def test_a_change_replaces_role_and_scope(users: Users) -> None:
    await users.add(ANNA)
    changed = replace(ANNA, role="qa", teams=("red", "green"), queues=(), disabled=True)
    await users.save(changed, 200)
    assert await users.by_id("u1") == replace(changed, teams=("green", "red"))


async def test_only_a_user_with_a_password_ends_the_setup(users: Users) -> None:
    assert not await users.any()
    await users.add(replace(ANNA, password_hash=None))
    assert not await users.any()
    await users.add(replace(ANNA, id="u2", login="bert"))
    assert await users.any()
    assert [user.login for user in await users.all()] == ["anna", "bert"]


async def test_a_sign_in_lives_until_it_is_ended(users: Users) -> None:
    await users.add(ANNA)
    await users.start(SIGN_IN)
    assert await users.sign_in("hash") == SIGN_IN
    await users.touch("hash", 1200)
    assert await users.sign_in("hash") == replace(SIGN_IN, seen_at_ms=1200)
    await users.end("hash")
    assert await users.sign_in("hash") is None


async def test_all_sign_ins_of_a_user_end_at_once(users: Users) -> None:
    await users.add(ANNA)
    await users.start(SIGN_IN)
    await users.start(replace(SIGN_IN, id_hash="other"))
    await users.end_all("u1")
    assert await users.sign_in("hash") is None is await users.sign_in("other")


async def test_sign_ins_that_are_over_are_forgotten_at_the_next(users: Users) -> None:
    await users.add(ANNA)
    await users.start(SIGN_IN)
    await users.start(replace(SIGN_IN, id_hash="later", created_at_ms=5001, expires_at_ms=9000))
    assert await users.sign_in("hash") is None


def test_idle_and_absolute_lifetime_both_end_a_sign_in() -> None:
    assert not SIGN_IN.ended(1499)
    assert SIGN_IN.ended(1500)
    assert replace(SIGN_IN, seen_at_ms=4900).ended(5000)


async def test_a_link_is_good_once_also_when_it_is_added_again(users: Users) -> None:
    await users.add(ANNA)
    await users.add_link("t", "u1", "/wallboard")
    assert await users.use_link("t", 1) == ("u1", "/wallboard")
    await users.add_link("t", "u1", "/wallboard")
    assert await users.use_link("t", 2) is None
    assert await users.use_link("never", 2) is None
