"""Joins the bus, the world and the connected pages (shell)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from livemon.api.feed.outlet import Outlet
from livemon.api.feed.scope import Encoded, ScopeKey, ScopeView, scope_key
from livemon.api.feed.world import World
from livemon.api.tickets import Tickets
from livemon.bus.messages import Mode, NodeHealth, NodeUpdate, Principal, PrincipalChanged, SessionState
from livemon.bus.port import Bus, Message, Subscription
from livemon.errors import BusError
from livemon.reasons import NODE_LOST
from livemon.store.records import PastCall
from sip_bridge.tasks import Tasks

log = logging.getLogger(__name__)

CHECK_EVERY: Final = 0.25
"""Seconds between two looks for silent nodes: with STALE_AFTER it stays below 3 s."""
FLUSH_EVERY: Final = 1.0
"""Seconds between two deltas; a figure that changes faster cannot be read."""
SNAPSHOT_RETRY: Final = 1.0
"""Seconds between two requests for one node's whole state."""
MAX_SESSIONS: Final = 10_000
"""Listening sessions remembered; a node carries 330, so this is a limit of memory, never of use."""

_encode = msgspec.json.Encoder().encode
_unpack_update = msgspec.msgpack.Decoder(NodeUpdate).decode
_unpack_health = msgspec.msgpack.Decoder(NodeHealth).decode
_unpack_session = msgspec.msgpack.Decoder(SessionState).decode
_unpack_change = msgspec.msgpack.Decoder(PrincipalChanged).decode


class Reader(Protocol):
    """One connected page, as the hub sees it."""

    principal: Principal
    outlet: Outlet
    me: bytes

    def wake(self) -> None:
        """Tell that frames wait in the outlet, or that it was cut."""

    def recheck(self) -> None:
        """Tell that the sign-in or its rights may have changed."""


@dataclass(frozen=True, slots=True)
class Held:
    """An open listening session: on which node, and how it was last heard of."""

    node: str
    state: SessionState


class FeedHub:
    """The live state, and the pages that see it."""

    def __init__(self, bus: Bus, now_ms: Callable[[], int]) -> None:
        self.world = World()
        self.tickets: Tickets[str] = Tickets()
        self.sessions: dict[str, Held] = {}
        self.cut = 0
        """Pages that were cut because they did not read."""
        self._bus = bus
        self._now_ms = now_ms
        self._encoded = Encoded(self.world)
        self._views: dict[ScopeKey, ScopeView] = {}
        self._readers: dict[Reader, ScopeKey] = {}
        self._asked: dict[str, float] = {}
        self._unsent: dict[str, PrincipalChanged] = {}
        self._tasks = Tasks("feed")

    def __len__(self) -> int:
        return len(self._readers)

    def start(
        self,
        journal_news: Callable[[str], None],
        keep: Callable[[list[PastCall]], Awaitable[object]],
    ) -> None:
        """Follow the bus; `journal_news` hears which writers have entries, `keep` gets ended calls."""
        for prefix, take in (
            ("calls.", self._on_update),
            ("node.", self._on_health),
            ("session.", self._on_session),
            ("principal", self._on_principal),
        ):
            self._follow(prefix, take)
        self._follow("audit.", lambda message: journal_news(message.topic.partition(".")[2]))
        self._tasks.start(self._run(journal_news, keep), "tick")

    async def close(self) -> None:
        """Stop following."""
        await self._tasks.close()

    def attach(self, reader: Reader) -> None:
        """Add a page; its first frame is a snapshot."""
        self._join(reader)
        self._fill(reader)

    def detach(self, reader: Reader) -> None:
        """Forget a page."""
        key = self._readers.pop(reader, None)
        if key is not None and key not in self._readers.values():
            self._views.pop(key, None)

    def moved(self, reader: Reader) -> None:
        """Tell that a page's principal changed: it sees another scope from now on."""
        self.detach(reader)
        reader.outlet.resync()
        self._join(reader)
        self._fill(reader)

    def fill(self, reader: Reader) -> None:
        """Give a page that fell behind, and has read all that was sent, a fresh snapshot."""
        if reader.outlet.wants_snapshot and reader in self._readers:
            self._fill(reader)

    def principal_changed(self, change: PrincipalChanged) -> None:
        """Tell every node and page that somebody's rights, scope or sign-in changed."""
        self._unsent[change.user_id] = change
        self._send_changes()
        self._recheck(change.user_id)

    def session_opened(self, session: str, node: str, user_id: str, call: str, webrtc: bool) -> None:
        """Note a session that this process opened, before its first state arrives."""
        transport: Final = "webrtc" if webrtc else "websocket"
        state = SessionState(session, user_id, call, "listen", "connecting", transport=transport)
        self.sessions.setdefault(session, Held(node, state))

    def session_closed(self, session: str) -> None:
        """Forget a session."""
        self.sessions.pop(session, None)

    def refused(self, session: str, mode: Mode, reason: str) -> None:
        """Tell a session's owner that a wish was refused; the mode in force stays as it was."""
        if (held := self.sessions.get(session)) is not None:
            self._tell(msgspec.structs.replace(held.state, refused=reason))
            log.info("session %s: %s refused: %s", session, mode, reason)

    def flush(self, urgent: bool = False) -> None:
        """Send what changed to every page that sees it; `urgent` sends only what cannot wait a second."""
        batch = self.world.flush(urgent)
        if batch is None:
            return
        now_ms = self._now_ms()
        bodies = {key: view.delta(batch) for key, view in self._views.items()}
        for reader, key in list(self._readers.items()):  # one that is cut leaves at once
            if bodies[key]:
                reader.outlet.delta(now_ms, bodies[key])
                reader.wake()

    def _join(self, reader: Reader) -> None:
        key = scope_key(reader.principal)
        if key not in self._views:
            self._views[key] = ScopeView(reader.principal, self.world, self._encoded)
        self._readers[reader] = key

    def _fill(self, reader: Reader) -> None:
        reader.outlet.snapshot(reader.me, self._now_ms(), self._views[self._readers[reader]].snapshot())
        reader.wake()

    def _recheck(self, user_id: str) -> None:
        for reader in list(self._readers):
            if reader.principal.user_id == user_id:
                reader.recheck()

    def _follow(self, prefix: str, take: Callable[[Message], None]) -> None:
        # Subscribed at once, not when the task first runs: what is published meanwhile counts.
        self._tasks.start(self._read(self._bus.subscribe(prefix), take), prefix)

    async def _read(self, subscription: Subscription, take: Callable[[Message], None]) -> None:
        async for message in subscription:
            try:
                take(message)
            except msgspec.DecodeError as error:
                log.error("a message of topic %s cannot be read: %s", message.topic, error)
            except Exception:
                # One message that meets a mistake of ours must not end the boards of everybody.
                log.exception("a message of topic %s was not taken in", message.topic)

    def _on_update(self, message: Message) -> None:
        self._take(_unpack_update(message.body))

    def _take(self, update: NodeUpdate) -> None:
        self.world.feed(update, asyncio.get_running_loop().time())
        if update.full:
            self._compare_sessions(update)
        self._ask_snapshots()
        if self.world.urgent:
            self.flush(urgent=True)

    def _on_health(self, message: Message) -> None:
        self.world.health(_unpack_health(message.body), asyncio.get_running_loop().time())
        self._ask_snapshots()

    def _on_session(self, message: Message) -> None:
        state = _unpack_session(message.body)
        node = message.topic.partition(".")[2]
        if state.state == "closed":
            self.sessions.pop(state.session, None)
        elif state.session in self.sessions or len(self.sessions) < MAX_SESSIONS:
            self.sessions[state.session] = Held(node, state)
        self._tell(state)

    def _compare_sessions(self, update: NodeUpdate) -> None:
        """Take over a node's open sessions; those it does not name died with the process that held them."""
        named = {state.session: state for state in update.sessions}
        for session, held in list(self.sessions.items()):
            if held.node == update.node and session not in named:
                self._lost(held)
        for session, state in named.items():
            if session not in self.sessions and len(self.sessions) < MAX_SESSIONS:
                self.sessions[session] = Held(update.node, state)

    def _lost(self, held: Held) -> None:
        del self.sessions[held.state.session]
        self._tell(msgspec.structs.replace(held.state, state="closed", mode="listen", refused=NODE_LOST))

    def _tick_world(self, now: float) -> None:
        before = set(self.world.nodes)
        self.world.tick(now)
        given_up = before - set(self.world.nodes)
        for held in list(self.sessions.values()):
            if held.node in given_up:
                self._lost(held)

    def _on_principal(self, message: Message) -> None:
        self._recheck(_unpack_change(message.body).user_id)

    def _tell(self, state: SessionState) -> None:
        body = msgspec.structs.asdict(state)
        owner = body.pop("user_id")
        frame = _encode({"type": "session", **body})
        for reader in list(self._readers):
            if reader.principal.user_id == owner:
                reader.outlet.direct(frame)
                reader.wake()

    def _send_changes(self) -> None:
        # A change that is not heard would leave somebody listening: it waits until the bus is back.
        while self._unsent and self._bus.connected:
            user_id, change = next(iter(self._unsent.items()))
            self._bus.publish("principal", msgspec.msgpack.encode(change))
            del self._unsent[user_id]

    def _ask_snapshots(self) -> None:
        now = asyncio.get_running_loop().time()
        for node in self.world.wants_snapshot:
            if now - self._asked.get(node, -SNAPSHOT_RETRY) >= SNAPSHOT_RETRY:
                self._asked[node] = now
                self._tasks.start(self._ask_snapshot(node), f"snapshot:{node}")

    async def _ask_snapshot(self, node: str) -> None:
        try:
            body = await self._bus.request(f"node.{node}", "snapshot", msgspec.msgpack.encode({}))
            self._take(_unpack_update(body))
        except (BusError, msgspec.DecodeError) as error:
            log.warning("%s gave no snapshot: %s", node, error)

    async def _run(
        self, journal_news: Callable[[str], None], keep: Callable[[list[PastCall]], Awaitable[object]]
    ) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + FLUSH_EVERY
        while True:
            await asyncio.sleep(CHECK_EVERY)
            now = loop.time()
            self._tick_world(now)
            self._send_changes()
            self._ask_snapshots()
            if now >= due:
                due = max(due + FLUSH_EVERY, now)
                self.world.prune(self._now_ms())
                self.flush()
                for node in self.world.nodes:
                    journal_news(node)
                await self._keep(keep)
            elif self.world.urgent:
                self.flush(urgent=True)

    async def _keep(self, keep: Callable[[list[PastCall]], Awaitable[object]]) -> None:
        ended = list(self.world.ended)
        if not ended:
            return
        try:
            await asyncio.wait_for(keep(ended), 2.0)  # the board goes on when the database does not
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("%d ended calls are kept in memory: %s", len(ended), error)
            return
        for _ in ended:
            self.world.ended.popleft()
