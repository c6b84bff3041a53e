"""Sign-in, sign-out, who am I, the first admin, tickets, one-use links."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from livemon.api.gate import cookie_name
from livemon.api.models import Login, Me, Setup, Ticket
from livemon.api.route import Ask, Reply, Who
from livemon.api.web import Web
from livemon.bus.messages import PrincipalChanged
from livemon.store.records import EVERYTHING, User


async def login(ask: Ask) -> Reply:
    """Sign in by password."""
    body: Login = ask.body
    secret, who = await ask.web.identity.log_in(body.login, body.password, ask.remote)
    return Reply(me_of(who), headers={"set-cookie": set_cookie(ask.web, secret, who)})


async def logout(ask: Ask) -> Reply:
    """Sign out; what the user is listening to ends within a second."""
    assert ask.who is not None
    await ask.web.identity.log_out(ask.who, ask.remote)
    ask.web.feed.principal_changed(PrincipalChanged(ask.who.user.id, None))
    name = cookie_name(ask.web)
    return Reply(headers={"set-cookie": f"{name}=; Max-Age=0; {_flags(ask.web)}"})


async def me(ask: Ask) -> Reply:
    """Return who is signed in."""
    assert ask.who is not None
    return Reply(me_of(ask.who))


async def setup(ask: Ask) -> Reply:
    """Create the first admin."""
    body: Setup = ask.body
    wanted = User("", body.login, body.name, "admin", False, 0, (EVERYTHING,), (EVERYTHING,))
    user = await ask.web.identity.create_first(ask.web.setup_token, body.token, wanted, body.password, ask.remote)
    ask.web.set_up_done()
    return Reply(status=201, noted={"user": user.id, "login": user.login})


async def ticket(ask: Ask) -> Reply:
    """Return a one-use ticket for the feed."""
    assert ask.who is not None
    return Reply(Ticket(ask.web.feed.tickets.issue(ask.who.sign_in.id_hash, ask.now_ms)))


async def enter(ask: Ask) -> Reply | Response:
    """Sign in by a one-use link and go to its page."""
    secret, path = await ask.web.identity.enter(ask.path["token"], ask.remote)
    who = await ask.web.identity.who(secret)
    assert who is not None
    return RedirectResponse(path, 303, {"set-cookie": set_cookie(ask.web, secret, who)})


def me_of(who: Who) -> Me:
    """Return the public description of who is signed in."""
    principal = who.principal
    return Me(principal.user_id, principal.name, principal.role, principal.rights, principal.teams, principal.queues)


def set_cookie(web: Web, secret: str, who: Who) -> str:
    """Return the Set-Cookie header of a new session."""
    age_s = (who.sign_in.expires_at_ms - who.sign_in.created_at_ms) // 1000
    return f"{cookie_name(web)}={secret}; Max-Age={age_s}; {_flags(web)}"


def _flags(web: Web) -> str:
    return "Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if web.settings.secure else "")
