"""What every request passes before and after its handler: origin, sign-in, right, body, errors, audit."""

from __future__ import annotations

import logging
from typing import Any, Final

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from livemon.api.models import ErrorDetail, Failure
from livemon.api.route import Ask, Reply, Route, Who
from livemon.api.web import Web
from livemon.bus.messages import Right
from livemon.errors import Refused

log = logging.getLogger(__name__)

MAX_BODY: Final = 64 * 1024
"""Bytes of a request's body: a browser's offer with three m-lines has about 8 kB."""
SDP: Final = "application/sdp"
RETRY_AFTER: Final = "60"
"""Seconds after which a script may ask again: a restart is over by then."""


def cookie_name(web: Web) -> str:
    """Return the session cookie's name; the prefix binds it to this host and to TLS (RFC 6265bis, 4.1.3.2)."""
    return "__Host-livemon" if web.settings.secure else "livemon"


def remote_of(request: Any) -> str:
    """Return the address of the browser."""
    return request.client.host if request.client else "unknown"


async def signed_in(web: Web, connection: Any) -> Who | None:
    """Return who sent a request or a WebSocket handshake, by its cookie."""
    return await web.identity.who(connection.cookies.get(cookie_name(web)))


class Gate:
    """One route as an endpoint."""

    def __init__(self, web: Web, route: Route) -> None:
        self._web = web
        self._route = route

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        who: Who | None = None
        try:
            self._check_origin(request)
            if self._route.right != "public":
                who = await self._check_right(request)
            body = await self._body(request)
            ask = Ask(self._web, request, body, who, remote_of(request), self._web.now_ms())
            reply = await self._route.handler(ask)
            if isinstance(reply, Response):
                return reply
            if self._route.audit and reply.noted:
                await self._record(self._route.audit, ask.remote, who, reply.noted)
            return self._respond(reply)
        except Refused as refused:
            return await self._refuse(request, who, refused)
        except SQLAlchemyError:
            log.exception("%s: the database failed", self._route.path)
            return failure("database_away", "the database does not answer", 503)
        except ClientDisconnect:
            return Response(status_code=400)

    def _check_origin(self, request: Request) -> None:
        if not self._route.changes:
            return
        origin, host = request.headers.get("origin"), request.headers.get("host")
        if not self._web.origins.allowed(origin, host):
            raise Refused("wrong_origin", "send an Origin header with this server's own origin", 403)

    async def _check_right(self, request: Request) -> Who:
        who = await signed_in(self._web, request)
        if who is None:
            raise Refused("not_signed_in", "sign in first", 401)
        right = self._route.right
        if right != "signed_in" and right not in who.principal.rights:
            await self._deny(request, who, "no_right")
            raise Refused("no_right", f"the role {who.user.role} may not {right}", 403)
        return who

    async def _body(self, request: Request) -> Any:
        if self._route.request is None:
            return None
        data = b""
        async for chunk in request.stream():
            data += chunk
            if len(data) > MAX_BODY:
                raise Refused("too_large", f"the body is longer than {MAX_BODY} bytes", 413)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if self._route.sdp and kind == SDP:
                return msgspec.convert({"sdp": data.decode()}, self._route.request)
            if kind != "application/json":
                # A form cannot send JSON across origins without asking first.
                raise Refused("wrong_type", "send application/json", 415)
            return msgspec.json.decode(data, type=self._route.request)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused("bad_body", str(error), 422) from error

    def _respond(self, reply: Reply) -> Response:
        status = reply.status if reply.status != 200 else self._route.status
        content = b"" if reply.body is None else msgspec.json.encode(reply.body)
        if not content and status == 200:
            status = 204
        return Response(content, status, dict(reply.headers), "application/json" if content else None)

    async def _refuse(self, request: Request, who: Who | None, refused: Refused) -> Response:
        if refused.status == 403 and who is not None and refused.id != "no_right":
            await self._deny(request, who, refused.id)
        return failure(refused.id, refused.text, refused.status)

    async def _deny(self, request: Request, who: Who, reason: str) -> None:
        if not self._route.audit:
            return
        fields = {"action": self._route.audit, "reason": reason, **request.path_params}
        try:
            await self._record("denied", remote_of(request), who, fields)
        except Refused:
            log.exception("a denied attempt could not be recorded")  # it stays denied

    async def _record(self, kind: str, remote: str, who: Who | None, fields: Any) -> None:
        actor = {"user": who.user.id, "name": who.user.name} if who else {}
        await self._web.record(kind, {**actor, "remote": remote, **fields})


def failure(id_: str, text: str, status: int) -> Response:
    """Return the JSON body of a refusal."""
    headers = {"retry-after": RETRY_AFTER} if status in (429, 503) else {}
    content = msgspec.json.encode(Failure(ErrorDetail(id_, text)))
    return Response(content, status, headers, "application/json")


def need(principal_rights: tuple[Right, ...], right: Right) -> None:
    """Raise Refused unless `right` is among the rights."""
    if right not in principal_rights:
        raise Refused("no_right", f"this needs the right {right}", 403)
