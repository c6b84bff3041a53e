"""Live calls, and listening to them."""

from __future__ import annotations

from starlette.responses import Response

from livemon.api.gate import SDP, need
from livemon.api.models import Calls, Hop, Listen, Listening, Restart, Sessions, SetMode
from livemon.api.route import Ask, Reply
from livemon.bus.messages import (
    CallView,
    ListenClose,
    ListenHop,
    ListenMode,
    ListenOpen,
    ListenOpened,
    ListenRestart,
    Right,
    SessionState,
)
from livemon.calls.access import allowed
from livemon.errors import Refused


async def calls(ask: Ask) -> Reply:
    """Return the live calls in scope."""
    world = ask.web.feed.world
    seen = tuple(live.view for live in world.calls.values() if not allowed(ask.principal, "view", live.view))
    return Reply(Calls(ask.now_ms, seen, world.stale))


async def listen(ask: Ask) -> Reply | Response:
    """Open a listening session; a bare offer is answered with a bare SDP body (WHEP's shape)."""
    body: Listen = ask.body
    bare = ask.request.headers.get("content-type", "").startswith(SDP)
    if not body.sdp and body.transport == "webrtc":
        raise Refused("bad_sdp", 'send an offer, or "transport": "websocket"', 422)
    call = await _call(ask, ask.path["id"], "listen")
    sdp = body.sdp if body.transport == "webrtc" else ""
    question = ListenOpen(ask.principal, call.id, sdp, ask.remote, body.reason)
    opened = await ask.web.ask(call.node, "listen.open", question, ListenOpened)
    ask.web.feed.session_opened(opened.session, call.node, ask.principal.user_id, call.id, bool(sdp))
    headers = {"location": f"/api/sessions/{opened.session}", "x-livemon-session": opened.session}
    if bare:
        return Response(opened.sdp, 201, headers, SDP)
    answer = Listening(opened.session, opened.sdp, opened.fallback_url, opened.fallback_ticket)
    return Reply(answer, 201, headers)


async def sessions(ask: Ask) -> Reply:
    """Return the own open sessions; who manages users sees everybody's."""
    everybody = "manage" in ask.principal.rights
    states = tuple(
        held.state
        for held in ask.web.feed.sessions.values()
        if everybody or held.state.user_id == ask.principal.user_id
    )
    return Reply(Sessions(states))


async def mode(ask: Ask) -> Reply:
    """Change what a session does: listen, whisper or barge."""
    body: SetMode = ask.body
    need(ask.principal.rights, body.mode)
    session, node = _own(ask)
    question = ListenMode(ask.principal, session, body.mode, body.lease_ms)
    return Reply(await ask.web.ask(node, "listen.mode", question, SessionState))


async def hop(ask: Ask) -> Reply:
    """Hear another call over the same connection."""
    body: Hop = ask.body
    session, node = _own(ask)
    call = await _call(ask, body.call, "listen")
    if call.node != node:
        raise Refused("other_node", "that call is on another node; open a new session", 409)
    question = ListenHop(ask.principal, session, call.id, body.reason)
    return Reply(await ask.web.ask(node, "listen.hop", question, SessionState))


async def restart(ask: Ask) -> Reply | Response:
    """Answer a new offer of a session that goes on (ICE restart)."""
    body: Restart = ask.body
    session, node = _own(ask)
    opened = await ask.web.ask(node, "listen.restart", ListenRestart(ask.principal, session, body.sdp), ListenOpened)
    if ask.request.headers.get("content-type", "").startswith(SDP):
        return Response(opened.sdp, 200, media_type=SDP)
    return Reply(Listening(opened.session, opened.sdp, opened.fallback_url, opened.fallback_ticket))


async def close(ask: Ask) -> Reply:
    """End a session; one that has ended already is no error: the browser's goodbye and this request race."""
    if ask.path["id"] not in ask.web.feed.sessions:
        return Reply()
    session, node = _own(ask)
    try:
        await ask.web.ask(node, "listen.close", ListenClose(ask.principal, session), SessionState)
    except Refused as refused:
        if refused.id != "no_such_session":
            raise
    ask.web.feed.session_closed(session)
    return Reply()


async def _call(ask: Ask, call_id: str, right: Right) -> CallView:
    live = ask.web.feed.world.calls.get(call_id)
    reason = allowed(ask.principal, right, live.view) if live is not None else ""
    if live is not None and not reason:
        return live.view
    if live is not None:
        view = live.view
        denied = {"action": right, "call": view.id, "agent": view.agent_id, "team": view.team, "queue": view.queue}
        actor = {"user": ask.principal.user_id, "name": ask.principal.name, "remote": ask.remote}
        await ask.web.record("denied", {**actor, **denied, "reason": reason})
    # A call outside the scope and one that is not there get the same answer.
    raise Refused("no_such_call", "there is no such call", 404)


def _own(ask: Ask) -> tuple[str, str]:
    held = ask.web.feed.sessions.get(ask.path["id"])
    if held is None or held.state.user_id != ask.principal.user_id:
        raise Refused("no_such_session", "there is no such session of yours", 404)
    return held.state.session, held.node
