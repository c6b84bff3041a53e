"""Users, and the agent directory."""

from __future__ import annotations

from dataclasses import replace

from livemon.api.models import AgentList, NewUser, UserChange, UserList, UserRow
from livemon.api.principals import principal_of
from livemon.api.route import Ask, Reply
from livemon.bus.messages import PrincipalChanged
from livemon.errors import Refused
from livemon.store.records import User


async def users(ask: Ask) -> Reply:
    """Return all users."""
    return Reply(UserList(tuple(_row(user) for user in await ask.web.users.all())))


async def create(ask: Ask) -> Reply:
    """Create a user."""
    body: NewUser = ask.body
    wanted = User("", body.login, body.name, body.role, False, 0, body.teams, body.queues)
    user = await ask.web.identity.create(wanted, body.password)
    return Reply(_row(user), noted={"target": user.id, "login": user.login, "role": user.role})


async def change(ask: Ask) -> Reply:
    """Change a user; what is no longer allowed ends within a second, wherever the user is signed in."""
    body: UserChange = ask.body
    before = await ask.web.users.by_id(ask.path["id"])
    if before is None:
        raise Refused("no_such_user", "there is no such user", 404)
    wanted = {
        name: value
        for name in ("name", "role", "teams", "queues", "disabled")
        if (value := getattr(body, name)) is not None
    }
    if before.id == ask.principal.user_id and (wanted.get("disabled") or wanted.get("role", "admin") != "admin"):
        raise Refused("own_rights", "nobody takes the own rights away; let another admin do it", 409)
    after = replace(before, **wanted)
    if body.password is not None:
        after = replace(after, password_hash=await ask.web.identity.passwords.hash(body.password))
    await ask.web.users.save(after, ask.now_ms)
    if after.disabled or body.password is not None:
        # A new password ends what was opened with the old one.
        await ask.web.users.end_all(after.id)
        ask.web.feed.principal_changed(PrincipalChanged(after.id, None))
    elif principal_of(after) != principal_of(before):
        ask.web.feed.principal_changed(PrincipalChanged(after.id, principal_of(after)))
    noted = wanted | ({"password": "changed"} if body.password is not None else {})
    return Reply(_row(after), noted={"target": after.id, "login": after.login, "changed": noted})


async def agents(ask: Ask) -> Reply:
    """Return the agents in scope."""
    directory = await ask.web.directory.load(1)
    principal = ask.principal
    everywhere = principal.teams is None and principal.queues is None
    teams, queues = set(principal.teams or ()), set(principal.queues or ())
    seen = tuple(
        agent for agent in directory.agents if everywhere or agent.team in teams or queues.intersection(agent.queues)
    )
    shown = {agent.team for agent in seen} | teams
    return Reply(AgentList(seen, tuple(team for team in directory.teams if everywhere or team.id in shown)))


def _row(user: User) -> UserRow:
    return UserRow(
        user.id,
        user.login,
        user.name,
        user.role,
        user.teams,
        user.queues,
        user.disabled,
        user.password_hash is not None,
    )
