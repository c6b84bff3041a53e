"""Sign-in and sign-out."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import uuid4

from livemon.api.limits import Attempts
from livemon.api.passwords import Passwords
from livemon.api.principals import principal_of
from livemon.api.route import Who
from livemon.api.tokens import digest, new_token
from livemon.errors import Refused
from livemon.store.records import User
from livemon.store.users import SignIn, Users

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
# (idle, absolute) ms. A shift with its breaks is at most 12 h; an open feed counts as use. A wallboard hangs on a wall
# and shows nothing but boards, so it may stay signed in for a quarter.
LIFETIMES: Final = {"wallboard": (7 * 24 * _HOUR, 90 * 24 * _HOUR)}
LIFETIME: Final = (1 * _HOUR, 12 * _HOUR)
TOUCH_MS: Final = _MINUTE
"""How often a sign-in that is in use is written down; a minute of an hour's idle time."""
PER_ADDRESS: Final = 30
"""Failed sign-ins of one address in a window: an office behind one address, each person wrong three times."""
PER_USER: Final = 10
"""Failed sign-ins of one user in a window, from wherever: 960 guesses a day."""
WINDOW_MS: Final = 15 * _MINUTE

Record = Callable[[str, dict[str, Any]], Awaitable[None]]


class Identity:
    """Who is signed in; every attempt is recorded."""

    def __init__(self, users: Users, passwords: Passwords, record: Record, now_ms: Callable[[], int]) -> None:
        self._users = users
        self._passwords = passwords
        self._record = record
        self._now_ms = now_ms
        self._by_address = Attempts(PER_ADDRESS, WINDOW_MS)
        self._by_user = Attempts(PER_USER, WINDOW_MS)

    @property
    def passwords(self) -> Passwords:
        """Return what hashes passwords."""
        return self._passwords

    async def log_in(self, login: str, password: str, remote: str) -> tuple[str, Who]:
        """Return the cookie's secret and who it stands for; raises Refused, the same for an unknown user."""
        now = self._now_ms()
        login = login.lower()
        wait_ms = max(self._by_address.wait_ms(remote, now), self._by_user.wait_ms(login, now))
        if wait_ms:
            raise Refused("too_many_attempts", f"too many failed sign-ins, try again in {-(-wait_ms // 1000)} s", 429)
        # Counted before the hash is computed, or a burst would all start inside the limit.
        self._by_address.note(remote, now)
        self._by_user.note(login, now)
        user = await self._users.by_login(login)
        if not await self._passwords.matches(user.password_hash if user else None, password) or not user:
            await self._record("login.failed", {"login": login[:128], "remote": remote})
            raise Refused("wrong_login", "the name or the password is wrong", 401)
        if user.disabled:
            await self._record(
                "login.failed", {"login": login, "user": user.id, "remote": remote, "reason": "disabled"}
            )
            raise Refused("wrong_login", "the name or the password is wrong", 401)
        self._by_address.forget(remote)
        self._by_user.forget(login)
        return await self.sign_in(user, remote, "password")

    async def sign_in(self, user: User, remote: str, how: str) -> tuple[str, Who]:
        """Start a session for `user`; return the cookie's secret and who it stands for."""
        now = self._now_ms()
        idle_ms, absolute_ms = LIFETIMES.get(user.role, LIFETIME)
        secret = new_token()
        sign_in = SignIn(digest(secret), user.id, now, now, idle_ms, now + absolute_ms, remote)
        await self._record("login", {"user": user.id, "name": user.name, "remote": remote, "how": how})
        await self._users.start(sign_in)
        return secret, Who(user, principal_of(user), sign_in)

    async def who(self, secret: str | None) -> Who | None:
        """Return whom a cookie stands for, or None; use keeps the session alive."""
        return await self.who_by_hash(digest(secret)) if secret else None

    async def who_by_hash(self, id_hash: str) -> Who | None:
        """Return whom a session stands for, or None when it is over."""
        sign_in = await self._users.sign_in(id_hash)
        now = self._now_ms()
        if sign_in is None:
            return None
        if sign_in.ended(now):
            await self._users.end(id_hash)
            return None
        user = await self._users.by_id(sign_in.user_id)
        if user is None or user.disabled:
            return None
        if now - sign_in.seen_at_ms >= TOUCH_MS:
            await self._users.touch(id_hash, now)
        return Who(user, principal_of(user), sign_in)

    async def enter(self, token: str, remote: str) -> tuple[str, str]:
        """Use up a one-use link; return the cookie's secret and the path to go to."""
        used = await self._users.use_link(digest(token), self._now_ms())
        user = await self._users.by_id(used[0]) if used else None
        if used is None or user is None or user.disabled:
            raise Refused("link_used", "this link was used already or never was one", 403)
        secret, _ = await self.sign_in(user, remote, "link")
        return secret, used[1]

    async def log_out(self, who: Who, remote: str) -> None:
        """End one session."""
        await self._users.end(who.sign_in.id_hash)
        await self._record("logout", {"user": who.user.id, "name": who.user.name, "remote": remote})

    async def create_first(self, expected: str, token: str, user: User, password: str, remote: str) -> User:
        """Create the first admin; only with the token the server printed, and only while nobody can sign in."""
        now = self._now_ms()
        if self._by_address.wait_ms(remote, now):
            raise Refused("too_many_attempts", "too many attempts, try again later", 429)
        if not expected or await self._users.any():
            raise Refused("set_up", "there is a user already", 409)
        if not hmac.compare_digest(expected.encode(), token.encode("utf-8", "surrogatepass")):
            self._by_address.note(remote, now)
            raise Refused("wrong_token", "this is not the set-up token that the server printed", 403)
        return await self.create(user, password)

    async def create(self, user: User, password: str | None) -> User:
        """Add a user; without a password nobody can sign in as it."""
        hashed = None if password is None else await self._passwords.hash(password)
        made = User(
            user.id or uuid4().hex,
            user.login.lower(),
            user.name,
            user.role,
            user.disabled,
            self._now_ms(),
            user.teams,
            user.queues,
            hashed,
        )
        await self._users.add(made)
        return made
