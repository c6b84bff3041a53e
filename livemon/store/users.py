"""Users, their scopes, their sign-in sessions and one-use links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from livemon.errors import Refused
from livemon.store.engine import Store
from livemon.store.records import User
from livemon.store.tables import enter_links, sessions, user_scopes, users


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in session; its secret is known to the browser alone, the database holds its hash."""

    id_hash: str
    user_id: str
    created_at_ms: int
    seen_at_ms: int
    idle_ms: int
    expires_at_ms: int
    remote: str

    def ended(self, now_ms: int) -> bool:
        """Return whether its idle or its absolute lifetime is over."""
        return now_ms >= self.expires_at_ms or now_ms >= self.seen_at_ms + self.idle_ms


class Users:
    """Users and sign-ins in the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def any(self) -> bool:
        """Return whether at least one user can sign in with a password."""
        async with self._store.read() as connection:
            query = select(func.count()).select_from(users).where(users.c.password_hash.is_not(None))
            return bool(await connection.scalar(query))

    async def all(self) -> list[User]:
        """Return all users, by sign-in name."""
        async with self._store.read() as connection:
            rows = (await connection.execute(select(users).order_by(users.c.login))).all()
            scopes = (await connection.execute(select(user_scopes))).all()
        return [_user(row, [scope for scope in scopes if scope.user_id == row.id]) for row in rows]

    async def by_id(self, user_id: str) -> User | None:
        """Return the user with this id."""
        return await self._one(users.c.id == user_id)

    async def by_login(self, login: str) -> User | None:
        """Return the user with this sign-in name, in any case of letters."""
        return await self._one(users.c.login == login.lower())

    async def add(self, user: User) -> None:
        """Add a user; raises Refused `login_taken`."""
        try:
            async with self._store.write() as connection:
                await connection.execute(
                    insert(users).values(
                        id=user.id,
                        login=user.login.lower(),
                        name=user.name,
                        role=user.role,
                        password_hash=user.password_hash,
                        disabled=user.disabled,
                        created_at_ms=user.created_at_ms,
                        changed_at_ms=user.created_at_ms,
                    )
                )
                await _write_scopes(connection, user)
        except IntegrityError as error:
            raise Refused("login_taken", f"there is already a user {user.login}", 409) from error

    async def save(self, user: User, now_ms: int) -> None:
        """Write name, role, scope, disabled state and password of a user that exists."""
        async with self._store.write() as connection:
            await connection.execute(
                update(users)
                .where(users.c.id == user.id)
                .values(
                    name=user.name,
                    role=user.role,
                    disabled=user.disabled,
                    password_hash=user.password_hash,
                    changed_at_ms=now_ms,
                )
            )
            await connection.execute(delete(user_scopes).where(user_scopes.c.user_id == user.id))
            await _write_scopes(connection, user)

    async def start(self, sign_in: SignIn) -> None:
        """Write a new sign-in, and forget those that are long over."""
        async with self._store.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires_at_ms < sign_in.created_at_ms))
            await connection.execute(insert(sessions).values(**{name: getattr(sign_in, name) for name in _SIGN_IN}))

    async def sign_in(self, id_hash: str) -> SignIn | None:
        """Return the sign-in with this hash."""
        async with self._store.read() as connection:
            row = (await connection.execute(select(sessions).where(sessions.c.id_hash == id_hash))).one_or_none()
        return None if row is None else SignIn(**{name: getattr(row, name) for name in _SIGN_IN})

    async def touch(self, id_hash: str, now_ms: int) -> None:
        """Note that a sign-in is in use."""
        async with self._store.write() as connection:
            await connection.execute(update(sessions).where(sessions.c.id_hash == id_hash).values(seen_at_ms=now_ms))

    async def end(self, id_hash: str) -> None:
        """Forget one sign-in."""
        async with self._store.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.id_hash == id_hash))

    async def end_all(self, user_id: str) -> None:
        """Forget every sign-in of a user."""
        async with self._store.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.user_id == user_id))

    async def add_link(self, token_hash: str, user_id: str, path: str) -> None:
        """Allow one use of a link; a link that is known already stays as it is, used or not."""
        async with self._store.write() as connection:
            known = await connection.scalar(select(enter_links.c.path).where(enter_links.c.token_hash == token_hash))
            if known is None:
                await connection.execute(insert(enter_links).values(token_hash=token_hash, user_id=user_id, path=path))

    async def use_link(self, token_hash: str, now_ms: int) -> tuple[str, str] | None:
        """Use up a link; return (user id, path), or None if there is none or it was used."""
        async with self._store.write() as connection:
            used = await connection.execute(
                update(enter_links)
                .where(enter_links.c.token_hash == token_hash, enter_links.c.used_at_ms.is_(None))
                .values(used_at_ms=now_ms)
            )
            if used.rowcount != 1:
                return None
            row = (
                await connection.execute(
                    select(enter_links.c.user_id, enter_links.c.path).where(enter_links.c.token_hash == token_hash)
                )
            ).one()
        return str(row.user_id), str(row.path)

    async def _one(self, condition: Any) -> User | None:
        async with self._store.read() as connection:
            row = (await connection.execute(select(users).where(condition))).one_or_none()
            if row is None:
                return None
            scopes = (await connection.execute(select(user_scopes).where(user_scopes.c.user_id == row.id))).all()
        return _user(row, scopes)


_SIGN_IN: Final = ("id_hash", "user_id", "created_at_ms", "seen_at_ms", "idle_ms", "expires_at_ms", "remote")


def _user(row: Row[Any], scopes: Sequence[Row[Any]]) -> User:
    return User(
        id=row.id,
        login=row.login,
        name=row.name,
        role=row.role,
        disabled=row.disabled,
        created_at_ms=row.created_at_ms,
        teams=_targets(scopes, "team"),
        queues=_targets(scopes, "queue"),
        password_hash=row.password_hash,
    )


def _targets(scopes: Iterable[Row[Any]], kind: str) -> tuple[str, ...]:
    return tuple(sorted(scope.target for scope in scopes if scope.kind == kind))


async def _write_scopes(connection: Any, user: User) -> None:
    rows = [{"user_id": user.id, "kind": "team", "target": team} for team in set(user.teams)]
    rows += [{"user_id": user.id, "kind": "queue", "target": queue} for queue in set(user.queues)]
    if rows:
        await connection.execute(insert(user_scopes), rows)
