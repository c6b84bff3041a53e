"""The node process: sockets, clocks and the bus around the switchboard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from livemon.audit.journal import Journal
from livemon.bus.messages import (
    AuditEntries,
    AuditPull,
    Directory,
    ListenClose,
    ListenHop,
    ListenMode,
    ListenOpen,
    ListenRestart,
    NodeHealth,
    NodeUpdate,
    PrincipalChanged,
    SessionState,
)
from livemon.bus.port import Bus
from livemon.clock import monotonic_us, utc_ms
from livemon.config import Config
from livemon.errors import BusError, ConfigError, Refused
from livemon.listen.fallback import FallbackServer
from livemon.listen.service import ListenService
from livemon.listen.udp import UdpPort
from livemon.node import checkpoint
from livemon.node.audit import NodeAudit
from livemon.node.lookup import CallFinder
from livemon.node.switchboard import Switchboard
from livemon.tap.keys import LinkKeys
from livemon.tap.link import Link
from livemon.tap.messages import FromBridge, Hello
from livemon.tap.server import LinkServer, tls_context
from sip_bridge.link.wire import TapFrame
from sip_bridge.tasks import Tasks

log = logging.getLogger(__name__)

TICK_S = 0.02
"""The step of the analysis."""
JUDGE_EVERY = 5
"""Ticks between two looks at the alert rules: 100 ms of the 300 ms from threshold to pixel."""
MAX_FAILED_STEPS = 50
"""Steps in a row that may fail before the process gives up and is restarted: one second."""

SETTLE_S = 4.0
"""Seconds a restarted node waits for the bridges it knew before it says what calls there are: they dial every 0.1 to
2 s, and a state without their calls would end the listening of everybody."""
_SETTLED_ONLY = ("snapshot", "listen.open")

Answer = Callable[[bytes], Awaitable[Any]]
Request = TypeVar("Request")


class Node:
    """One node: `start` it, wait for `run`, `close` it."""

    def __init__(self, config: Config, bus: Bus) -> None:
        self.name = config.node.name
        self._config = config
        self._bus = bus
        self._tasks = Tasks(self.name)
        self._late_s = 0.0
        self._failed_steps = 0
        self._ended: asyncio.Future[None] | None = None
        keys = LinkKeys.read(config.link_key_file)
        tls = config.node.link_tls
        link_tls = tls_context(tls.certificate, tls.key) if tls is not None else None
        self._links = LinkServer(config.link_listen, keys, self, link_tls)
        journal = Journal(config.journal_path(self.name), self.name)
        self._audit = NodeAudit(journal, self._publish_audit)
        self.board = Switchboard(self.name, config.directory(0), self._audit)
        self._checkpoint = config.server.data_dir / f"{self.name}.checkpoint"
        self._settled = asyncio.Event()
        self._listen: ListenService | None = None
        self._udp: UdpPort | None = None
        self._fallback: FallbackServer | None = None

    async def start(self) -> None:
        """Continue from the checkpoint and open every door; raises ConfigError."""
        kept = await asyncio.to_thread(checkpoint.read, self._checkpoint, self.name, utc_ms())
        if kept is not None:
            log.info("continuing with %d calls of a node that stopped", len(kept.calls))
            self.board.recall(kept)
        self._settle_when_due()
        settings = self._config.node
        try:
            self._udp = UdpPort.bind(settings.rtc_host, settings.rtc_port, settings.advertise)
        except OSError as error:
            where = f"{settings.rtc_host}:{settings.rtc_port}"
            raise ConfigError(f"node.rtc_port: {where} cannot be listened on: {error.strerror}") from error
        finder = CallFinder(self.board.book, self.board.ports)
        self._listen = ListenService(finder, self._audit, self._publish_session, self._udp)
        self._fallback = await self._open_fallback(self._listen)
        self.board.listening = self._listen
        self._bus.serve(f"node.{self.name}", self._answer)
        await self._links.start()
        self._ended = asyncio.get_running_loop().create_future()
        for name, loop in (
            ("tick", self._tick()),
            ("second", self._second()),
            ("directory", self._follow_directory()),
            ("principal", self._follow_principals()),
        ):
            self._tasks.start(loop, name).add_done_callback(self._loop_ended)
        self._tasks.start(self._close_lost(kept.heard if kept is not None else {}), "lost")
        self._tasks.start(self._say_all(), "settled")

    async def _open_fallback(self, listen: ListenService) -> FallbackServer:
        config = self._config
        tls = config.server.tls
        host, port = config.node.fallback_host or config.server.host, config.node.fallback_port
        context = tls_context(tls.certificate, tls.key) if tls is not None else None
        try:
            fallback = await FallbackServer.start(listen, host, port, config.page_origins, context)
        except OSError as error:
            raise ConfigError(f"node.fallback_port: {host}:{port} cannot be listened on: {error.strerror}") from error
        listen.fallback_url = config.fallback_url(fallback.port)
        return fallback

    async def run(self) -> None:
        """Wait until one of the loops dies: the process is of no use without it."""
        assert self._ended is not None, "not started"
        await self._ended

    async def close(self) -> None:
        """Close sessions with their audit records, write a last checkpoint, and leave."""
        await self._tasks.close()
        if self._listen is not None:
            await self._listen.aclose()
        if self._fallback is not None:
            await self._fallback.close()
        if self._udp is not None:
            self._udp.close()
        await asyncio.to_thread(checkpoint.write, self._checkpoint, self._keep(utc_ms()))
        await self._links.close()
        await self._audit.close()

    @property
    def link_port(self) -> int:
        """The TCP port bridges dial, when it is not a Unix socket."""
        return self._links.port

    # What the links say.

    def attached(self, link: Link, hello: Hello) -> None:
        """Take in a bridge; a link it still had is cut."""
        old = self.board.current(hello.bridge)
        self.board.attached(link, hello, monotonic_us(), utc_ms())
        log.info("bridge %s attached", hello.bridge)
        if isinstance(old, Link):
            old.abort()

    def message(self, link: Link, message: FromBridge) -> None:
        """Take in a message of a link that is still the bridge's own."""
        if self.board.current(link.bridge) is link:
            self.board.message(link.bridge, message, monotonic_us(), utc_ms())
            if not self.board.awaited:
                self._settled.set()

    def frame(self, link: Link, frame: TapFrame) -> None:
        """Take in a tap frame of a link that is still the bridge's own."""
        if self.board.current(link.bridge) is link:
            self.board.frame(link.bridge, frame, monotonic_us())

    def detached(self, link: Link) -> None:
        """Take note that a link has ended."""
        log.info("a link of bridge %s ended", link.bridge)
        self.board.detached(link.bridge, link, monotonic_us(), utc_ms())

    # After a start.

    def _settle_when_due(self) -> None:
        if self.board.awaited:
            asyncio.get_running_loop().call_later(SETTLE_S, self._settled.set)
        else:
            self._settled.set()

    async def _say_all(self) -> None:
        """Tell the complete state as soon as it is known: pages learn at once which sessions are gone."""
        await self._settled.wait()
        self._publish_update(self._whole())

    async def _close_lost(self, heard: Mapping[str, float]) -> None:
        lost = await self._audit.close_lost(heard)
        if lost:
            log.warning("%d listening sessions ended with the process before this one", lost)

    # Loops.

    async def _tick(self) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        count = 0
        while True:
            due += TICK_S
            await asyncio.sleep(max(0.0, due - clock()))
            late = clock() - due
            self._late_s = max(self._late_s, late)
            if late > 1.0:
                due = clock()  # the machine slept; the analysis catches up by itself
            count += 1
            self._step(count % JUDGE_EVERY == 0)

    def _step(self, judge: bool) -> None:
        try:
            local_us, now_ms = monotonic_us(), utc_ms()
            self.board.step(local_us)
            if judge:
                self.board.judge(local_us, now_ms)
            if self.board.publisher.urgent:
                self._publish_update(self.board.publisher.update(now_ms))
            self._failed_steps = 0
        except Exception:
            self._failed_steps += 1
            log.exception("a step failed")
            if self._failed_steps >= MAX_FAILED_STEPS:
                raise

    async def _second(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now_ms = utc_ms()
            self._publish_update(self.board.second(now_ms))
            self._publish(f"node.{self.name}", self._health(now_ms))
            try:
                await asyncio.to_thread(checkpoint.write, self._checkpoint, self._keep(now_ms))
            except OSError as error:
                log.error("the checkpoint cannot be written: %s", error)

    async def _follow_directory(self) -> None:
        async for message in self._bus.subscribe("directory"):
            try:
                self.board.directory(msgspec.msgpack.decode(message.body, type=Directory), utc_ms())
            except msgspec.MsgspecError as error:
                log.error("an agent directory cannot be read and is ignored: %s", error)

    async def _follow_principals(self) -> None:
        async for message in self._bus.subscribe("principal"):
            try:
                change = msgspec.msgpack.decode(message.body, type=PrincipalChanged)
            except msgspec.MsgspecError as error:
                log.error("a change of rights cannot be read: %s", error)
                continue
            if self._listen is not None:
                self._listen.on_principal(change)

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        if self._ended is not None and not self._ended.done() and not task.cancelled():
            self._ended.set_exception(task.exception() or RuntimeError(f"{task.get_name()} ended"))

    # The bus.

    async def _answer(self, method: str, body: bytes) -> bytes:
        if method in _SETTLED_ONLY:
            await self._settled.wait()
        answer = self._methods().get(method)
        if answer is None:
            raise Refused("no_such_method", f"a node does not know {method}", 404)
        try:
            return msgspec.msgpack.encode(await answer(body))
        except msgspec.MsgspecError as error:
            raise Refused("bad_request", str(error), 400) from error

    def _methods(self) -> dict[str, Answer]:
        assert self._listen is not None, "not started"
        return {
            "snapshot": self._snapshot,
            "audit.pull": _typed(AuditPull, self._audit.pull),
            "listen.open": _typed(ListenOpen, self._listen.open),
            "listen.mode": _typed(ListenMode, self._listen.mode),
            "listen.hop": _typed(ListenHop, self._listen.hop),
            "listen.restart": _typed(ListenRestart, self._listen.restart),
            "listen.close": _typed(ListenClose, self._listen.close),
        }

    async def _snapshot(self, body: bytes) -> NodeUpdate:
        return self._whole()

    def _whole(self) -> NodeUpdate:
        sessions = self._listen.states() if self._listen is not None else ()
        return msgspec.structs.replace(self.board.snapshot(utc_ms()), sessions=sessions)

    def _keep(self, now_ms: int) -> checkpoint.Checkpoint:
        heard = self._listen.heard() if self._listen is not None else {}
        return msgspec.structs.replace(self.board.keep(now_ms), heard=heard)

    def _publish_update(self, update: NodeUpdate) -> None:
        self._publish(f"calls.{self.name}", update)

    def _publish_audit(self, entries: AuditEntries) -> None:
        self._publish(f"audit.{self.name}", entries)

    def _publish_session(self, state: SessionState) -> None:
        self._publish(f"session.{self.name}", state)
        self.board.session(state, utc_ms())

    def _publish(self, topic: str, message: msgspec.Struct) -> None:
        try:
            self._bus.publish(topic, msgspec.msgpack.encode(message))
        except BusError as error:
            log.error("%s is lost: %s", topic, error)

    def _health(self, now_ms: int) -> NodeHealth:
        late_ms, self._late_s = self._late_s * 1000, 0.0
        counters = self.board.counters() | {
            "links_refused": float(self._links.refused),
            "audit_facts_lost": float(self._audit.lost_notes),
        }
        if self._listen is not None:
            counters |= self._listen.counters()
        return NodeHealth(
            self.name,
            now_ms,
            tuple(sorted(name for name, port in self.board.ports.items() if port.up)),
            len(self.board.book),
            self.board.sessions,
            round(late_ms, 2),
            counters,
        )


def _typed(kind: type[Request], answer: Callable[[Request], Awaitable[Any]]) -> Answer:
    async def decoded(body: bytes) -> Any:
        return await answer(msgspec.msgpack.decode(body, type=kind))

    return decoded
