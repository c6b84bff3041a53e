"""Bodies of requests and answers; with the messages of the bus they are all there is in the API description."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from livemon.api.principals import Role
from livemon.bus.messages import Agent, CallView, Mode, Right, SessionState, Team

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Secret = Annotated[str, Meta(max_length=1024)]
Reason = Annotated[str, Meta(max_length=500)]
Sdp = Annotated[str, Meta(max_length=60_000)]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of request bodies: a member nobody knows is an error, not a surprise."""


class Login(Body, frozen=True, kw_only=True):
    """A sign-in by password."""

    login: Name
    password: Secret


class Setup(Body, frozen=True, kw_only=True):
    """The first admin; `token` is printed when the server starts without users."""

    token: Secret
    login: Name
    name: Name
    password: Secret


class Listen(Body, frozen=True, kw_only=True):
    """A wish to hear a call: an SDP offer, or `transport` "websocket" without one."""

    sdp: Sdp = ""
    transport: Literal["webrtc", "websocket"] = "webrtc"
    reason: Reason = ""


class SetMode(Body, frozen=True, kw_only=True):
    """A mode to hold until it is changed, or for `lease_ms`."""

    mode: Mode
    lease_ms: Annotated[int, Meta(ge=1, le=10_000)] | None = None


class Hop(Body, frozen=True, kw_only=True):
    """The call to hear instead."""

    call: Id
    reason: Reason = ""


class Restart(Body, frozen=True, kw_only=True):
    """A new offer for a session that goes on."""

    sdp: Sdp


class NewUser(Body, frozen=True, kw_only=True):
    """A user to create; without a password nobody can sign in as it."""

    login: Name
    name: Name
    role: Role
    teams: tuple[Id, ...] = ()
    queues: tuple[Id, ...] = ()
    password: Secret | None = None


class UserChange(Body, frozen=True, kw_only=True):
    """What to change of a user; what is left out stays."""

    name: Name | None = None
    role: Role | None = None
    teams: tuple[Id, ...] | None = None
    queues: tuple[Id, ...] | None = None
    disabled: bool | None = None
    password: Secret | None = None


class ErrorDetail(msgspec.Struct, frozen=True):
    """A stable id to act on, and a text for people."""

    id: str
    text: str


class Failure(msgspec.Struct, frozen=True):
    """The body of every refusal."""

    error: ErrorDetail


class Me(msgspec.Struct, frozen=True):
    """Who is signed in."""

    user: str
    name: str
    role: str
    rights: tuple[Right, ...]
    teams: tuple[str, ...] | None
    queues: tuple[str, ...] | None


class Calls(msgspec.Struct, frozen=True):
    """The live calls in the reader's scope."""

    now_ms: int
    calls: tuple[CallView, ...]
    stale: tuple[str, ...]


class Listening(msgspec.Struct, frozen=True):
    """A session that was opened; `sdp` is the answer, or the two fallback members are set."""

    session: str
    sdp: str
    fallback_url: str
    fallback_ticket: str


class Sessions(msgspec.Struct, frozen=True):
    """Open listening sessions."""

    sessions: tuple[SessionState, ...]


class Ticket(msgspec.Struct, frozen=True):
    """A one-use ticket for the feed, valid for 30 s."""

    ticket: str


class AuditRow(msgspec.Struct, frozen=True):
    """One audit entry."""

    writer: str
    seq: int
    at_ms: int
    kind: str
    fields: dict[str, Any]
    hash: str
    user_name: str = ""
    """What the user of the entry is called today; the entry itself holds the id alone."""
    agent_name: str = ""
    queue_name: str = ""


class AuditPage(msgspec.Struct, frozen=True):
    """Entries, newest first; `next` is the `before` of the next page, or ""."""

    entries: tuple[AuditRow, ...]
    next: str


class AuditProblem(msgspec.Struct, frozen=True):
    """One sign of tampering or loss."""

    journal: str
    line: int
    id: str
    text: str


class AuditWriter(msgspec.Struct, frozen=True):
    """What was checked of one writer; `problem` says why its import stopped, or ""."""

    writer: str
    entries: int
    seq: int
    hash: str
    problem: str


class AuditCheck(msgspec.Struct, frozen=True):
    """The result of a verification."""

    ok: bool
    anchors: int
    writers: tuple[AuditWriter, ...]
    problems: tuple[AuditProblem, ...]


class UserRow(msgspec.Struct, frozen=True):
    """One user; `password` says whether there is one."""

    id: str
    login: str
    name: str
    role: str
    teams: tuple[str, ...]
    queues: tuple[str, ...]
    disabled: bool
    password: bool


class UserList(msgspec.Struct, frozen=True):
    """All users."""

    users: tuple[UserRow, ...]


class AgentList(msgspec.Struct, frozen=True):
    """The agents in the reader's scope, and all teams."""

    agents: tuple[Agent, ...]
    teams: tuple[Team, ...]


class Health(msgspec.Struct, frozen=True):
    """Whether the process is alive, or ready, and which part is not."""

    ok: bool
    checks: dict[str, bool]
