"""One row of the route table, and what a handler is given and gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from livemon.bus.messages import Principal, Right
from livemon.store.records import User
from livemon.store.users import SignIn

if TYPE_CHECKING:
    from livemon.api.web import Web

Access = Right | Literal["public", "signed_in"]


@dataclass(frozen=True, slots=True)
class Who:
    """A user that is signed in."""

    user: User
    principal: Principal
    sign_in: SignIn


@dataclass(frozen=True, slots=True)
class Ask:
    """One request as a handler sees it; `body` is an instance of the route's request type."""

    web: Web
    request: Request
    body: Any
    who: Who | None
    remote: str
    now_ms: int

    @property
    def principal(self) -> Principal:
        """Return who acts; only for routes that need a sign-in."""
        assert self.who is not None
        return self.who.principal

    @property
    def path(self) -> Mapping[str, str]:
        """Return the parameters in the path."""
        return self.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        """Return the parameters after the question mark."""
        return self.request.query_params


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: `body` becomes JSON; `noted` goes into the audit entry of the route."""

    body: msgspec.Struct | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    noted: Mapping[str, Any] = field(default_factory=dict)


Handler = Callable[[Ask], Awaitable[Reply | Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method: who may, what goes in and comes out, and what the audit trail keeps of it.

    `right` is a right, `signed_in` (anybody who is) or `public`. `audit` is the kind of the entry that is written for
    a success that noted something, and the action named in the `denied` entry of a refusal; empty writes nothing.
    `sdp` lets the request be a bare offer and the answer a bare SDP body (WHEP's shape).
    """

    path: str
    method: Literal["GET", "POST", "PATCH", "DELETE"]
    handler: Handler
    request: type[msgspec.Struct] | None
    response: type[msgspec.Struct] | None
    right: Access
    audit: str = ""
    summary: str = ""
    sdp: bool = False
    status: int = 200

    @property
    def changes(self) -> bool:
        """Return whether the request changes something, so that its Origin must be one of ours."""
        return self.method != "GET"
