"""The one route table: the server, the API description and the authorisation matrix are made from it."""

from __future__ import annotations

from typing import Final

from livemon.api.handlers import audit, calls, identity, system, users
from livemon.api.models import (
    AgentList,
    AuditCheck,
    AuditPage,
    Calls,
    Health,
    Hop,
    Listen,
    Listening,
    Login,
    Me,
    NewUser,
    Restart,
    Sessions,
    SetMode,
    Setup,
    Ticket,
    UserChange,
    UserList,
    UserRow,
)
from livemon.api.route import Route
from livemon.bus.messages import SessionState

ROUTES: Final = (
    Route("/healthz", "GET", system.alive, None, Health, "public", summary="Whether the process answers"),
    Route("/readyz", "GET", system.ready, None, Health, "public", summary="Whether the process can work"),
    Route("/metrics", "GET", system.metrics, None, None, "public", summary="Figures for Prometheus"),
    Route("/api/login", "POST", identity.login, Login, Me, "public", summary="Sign in"),
    Route("/api/logout", "POST", identity.logout, None, None, "signed_in", summary="Sign out"),
    Route("/api/me", "GET", identity.me, None, Me, "signed_in", summary="Who is signed in"),
    Route(
        "/api/setup", "POST", identity.setup, Setup, None, "public", "user.setup", "Create the first admin", status=201
    ),
    Route("/api/ticket", "POST", identity.ticket, None, Ticket, "signed_in", summary="A one-use ticket for the feed"),
    Route("/api/calls", "GET", calls.calls, None, Calls, "view", summary="The live calls in scope"),
    # The node writes the audit entries of listening itself, before the first sample; here only refusals are kept.
    Route(
        "/api/calls/{id}/listen",
        "POST",
        calls.listen,
        Listen,
        Listening,
        "listen",
        "listen.asked",
        "Hear a call",
        sdp=True,
        status=201,
    ),
    Route("/api/sessions", "GET", calls.sessions, None, Sessions, "listen", summary="Open listening sessions"),
    Route(
        "/api/sessions/{id}/mode",
        "POST",
        calls.mode,
        SetMode,
        SessionState,
        "listen",
        "listen.mode_asked",
        "Listen, whisper or barge",
    ),
    Route(
        "/api/sessions/{id}/hop",
        "POST",
        calls.hop,
        Hop,
        SessionState,
        "listen",
        "listen.hop_asked",
        "Hear another call",
    ),
    Route(
        "/api/sessions/{id}",
        "PATCH",
        calls.restart,
        Restart,
        Listening,
        "listen",
        summary="Answer a new offer (ICE restart)",
        sdp=True,
    ),
    Route("/api/sessions/{id}", "DELETE", calls.close, None, None, "listen", summary="End a session"),
    Route("/api/agents", "GET", users.agents, None, AgentList, "view", summary="The agents in scope"),
    Route("/api/audit", "GET", audit.entries, None, AuditPage, "audit", "audit.read", "Audit entries, newest first"),
    Route(
        "/api/audit/verify", "GET", audit.check, None, AuditCheck, "audit", "audit.verified", "Verify the audit trail"
    ),
    Route("/api/users", "GET", users.users, None, UserList, "manage", summary="All users"),
    Route("/api/users", "POST", users.create, NewUser, UserRow, "manage", "user.created", "Create a user", status=201),
    Route("/api/users/{id}", "PATCH", users.change, UserChange, UserRow, "manage", "user.changed", "Change a user"),
)

ENTER: Final = Route("/enter/{token}", "GET", identity.enter, None, None, "public", summary="Sign in by one-use link")
"""Only there when links were configured."""
FEED_PATH: Final = "/api/feed"
DESCRIPTION_PATH: Final = "/api/openapi.json"
