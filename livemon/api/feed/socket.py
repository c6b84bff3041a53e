"""One page's WebSocket: signs in by ticket, reads its messages, writes what its outlet holds (shell)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from livemon.api.feed.outlet import Outlet
from livemon.api.gate import remote_of, signed_in
from livemon.api.limits import Attempts
from livemon.bus.messages import ListenMode, Mode, SessionState
from livemon.errors import Refused
from sip_bridge.tasks import Tasks

if TYPE_CHECKING:
    from livemon.api.route import Who
    from livemon.api.web import Web

log = logging.getLogger(__name__)

SUBPROTOCOL: Final = "livemon-feed.1"
TICKET_WITHIN: Final = 5.0
"""Seconds a page has to send its ticket."""
LEASE_MS: Final = 1500
"""How long a key message holds; it is repeated every 400 ms, so three may be lost."""
KEY_TIMEOUT: Final = 1.0
"""Seconds a node has to answer a key; later the lease is half over and the next message is here."""
MESSAGES_A_MINUTE: Final = 600
"""Messages of one page: a held key makes 150."""
RECHECK: Final = 30.0
"""Seconds between two looks whether the sign-in still holds, beside those a change asks for."""
BAD_TICKETS: Final = 20
"""Bad tickets of one address in a minute before its handshakes are refused unless a valid cookie comes along."""
MAX_PAGES: Final = 1000
"""Connected pages of one web process: a supervisor's browser has one, so this is a limit of memory."""
POLICY: Final = 1008


class FromPage(msgspec.Struct, frozen=True):
    """Any message of a page."""

    type: Literal["ticket", "resync", "key", "ping"]
    ticket: str = ""
    session: str = ""
    mode: Mode = "listen"


_decode = msgspec.json.Decoder(FromPage).decode


class Bye(Exception):
    """Ends the connection with a reason id."""

    def __init__(self, reason: str, code: int = POLICY) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class FeedEndpoint:
    """`WS /api/feed`."""

    def __init__(self, web: Callable[[], Web]) -> None:
        self._web = web
        self._bad = Attempts(BAD_TICKETS, 60_000)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one page until either side ends it."""
        web = self._web()
        if await self._flooding(web, socket):
            await socket.close(POLICY)  # before the handshake: answered with 403, at the price of one request
            return
        if SUBPROTOCOL not in socket.scope["subprotocols"]:
            await socket.close(POLICY)
            return
        await socket.accept(SUBPROTOCOL)
        page: Page | None = None
        try:
            page = Page(web, socket, await self._admit(web, socket))
            await page.serve()
        except Bye as bye:
            await _end(socket, bye.reason, bye.code, page is not None)
        except (WebSocketDisconnect, RuntimeError):
            pass  # it went away before it was signed in

    async def _flooding(self, web: Web, socket: WebSocket) -> bool:
        if not self._bad.wait_ms(remote_of(socket), web.now_ms()):
            return False
        return await signed_in(web, socket) is None

    async def _admit(self, web: Web, socket: WebSocket) -> Who:
        if not web.origins.allowed(socket.headers.get("origin"), socket.headers.get("host")):
            self._bad.note(remote_of(socket), web.now_ms())
            raise Bye("wrong_origin")
        if len(web.feed) >= MAX_PAGES:
            raise Bye("too_many_pages", 1013)
        try:
            async with asyncio.timeout(TICKET_WITHIN):
                message = _read(await socket.receive())
        except TimeoutError:
            raise Bye("no_ticket") from None
        id_hash = web.feed.tickets.take(message.ticket, web.now_ms()) if message.type == "ticket" else None
        who = await web.identity.who_by_hash(id_hash) if id_hash else None
        if who is None:
            self._bad.note(remote_of(socket), web.now_ms())
            raise Bye("bad_ticket")
        if "view" not in who.principal.rights:
            raise Bye("no_right")
        return who


class Page:
    """One signed-in page."""

    def __init__(self, web: Web, socket: WebSocket, who: Who) -> None:
        self.outlet = Outlet()
        self._web = web
        self._socket = socket
        self._some = asyncio.Event()
        self._recheck = asyncio.Event()
        self._counted: Attempts = Attempts(MESSAGES_A_MINUTE, 60_000, 1)
        self._set(who)

    async def serve(self) -> None:
        """Run until the browser leaves; raises Bye when we end it."""
        tasks = Tasks("page")
        parts = {
            tasks.start(_outcome(self._read()), "read"),
            tasks.start(_outcome(self._write()), "write"),
            tasks.start(_outcome(self._keep_checking()), "check"),
        }
        self._web.feed.attach(self)
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._web.feed.detach(self)
            await tasks.close()
        for task in done:
            if (bye := task.result()) is not None:
                raise bye

    def wake(self) -> None:
        """Tell the writer that frames wait."""
        if self.outlet.cut:
            self._web.feed.cut += 1
            self._web.feed.detach(self)
            _abort(self._socket)
        self._some.set()

    def recheck(self) -> None:
        """Look at the sign-in again, now."""
        self._recheck.set()

    def _set(self, who: Who) -> None:
        self.principal = who.principal
        self._id_hash = who.sign_in.id_hash
        me = {"user": who.user.id, "name": who.user.name, "role": who.user.role, "rights": who.principal.rights}
        self.me = msgspec.json.encode(me)

    async def _write(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            while (frame := self.outlet.take()) is not None:
                await self._socket.send({"type": "websocket.send", "text": frame.decode()})
            self._web.feed.fill(self)

    async def _read(self) -> None:
        while True:
            message = _read(await self._socket.receive())
            now_ms = self._web.now_ms()
            if self._counted.wait_ms("", now_ms):
                raise Bye("too_many_messages")
            self._counted.note("", now_ms)
            match message.type:
                case "resync":
                    self.outlet.resync()
                    self._web.feed.fill(self)
                case "key":
                    await self._key(message.session, message.mode)
                case "ping":
                    self.outlet.direct(b'{"type":"pong","now_ms":%d}' % now_ms)
                    self.wake()
                case "ticket":
                    raise Bye("bad_message")

    async def _key(self, session: str, mode: Mode) -> None:
        held = self._web.feed.sessions.get(session)
        if held is None or held.state.user_id != self.principal.user_id:
            return  # it has ended a moment ago; the page hears that from its state
        if mode not in self.principal.rights:
            self._web.feed.refused(session, mode, "no_right")
            return
        wish = ListenMode(self.principal, session, mode, None if mode == "listen" else LEASE_MS)
        try:
            await self._web.ask(held.node, "listen.mode", wish, SessionState, KEY_TIMEOUT)
        except Refused as refused:
            self._web.feed.refused(session, mode, refused.id)

    async def _keep_checking(self) -> None:
        while True:
            asked = True
            try:
                async with asyncio.timeout(RECHECK):
                    await self._recheck.wait()
            except TimeoutError:
                asked = False
            self._recheck.clear()
            try:
                await self._check()
            except SQLAlchemyError:
                # A board stays up while the database is away; a change that cannot be looked up ends it.
                if asked:
                    raise Bye("recheck_failed") from None

    async def _check(self) -> None:
        who = await self._web.identity.who_by_hash(self._id_hash)
        if who is None:
            raise Bye("signed_out")
        if "view" not in who.principal.rights:
            raise Bye("no_right")
        if who.principal != self.principal:
            self._set(who)
            self._web.feed.moved(self)


async def _outcome(part: Coroutine[Any, Any, None]) -> Bye | None:
    """Run one side of a page; return why we end it, or None when the browser left."""
    try:
        await part
    except Bye as bye:
        return bye
    except (WebSocketDisconnect, RuntimeError):
        return None  # the browser went away; Starlette says so either way
    return None


def _read(event: Any) -> FromPage:
    if event["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(event.get("code", 1005))
    text = event.get("text")
    if text is None:
        raise Bye("bad_message")
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise Bye("bad_message") from None


async def _end(socket: WebSocket, reason: str, code: int, say: bool) -> None:
    # 1 s: a browser that does not read must not keep us from ending.
    with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
        async with asyncio.timeout(1.0):
            if say and socket.application_state is WebSocketState.CONNECTED:
                await socket.send_text(msgspec.json.encode({"type": "bye", "reason": reason}).decode())
            await socket.close(code, reason)
            return
    _abort(socket)


def _abort(socket: WebSocket) -> None:
    extension = socket.scope.get("extensions", {}).get("livemon.abort")
    if extension is not None:
        extension["abort"]()
