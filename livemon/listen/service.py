"""The listening service of a node: permission, audit record, then audio, in this order and never another."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final

from aiortc.rtcdtlstransport import RTCCertificate

from livemon.bus.messages import (
    ListenClose,
    ListenHop,
    ListenMode,
    ListenOpen,
    ListenOpened,
    ListenRestart,
    Mode,
    Principal,
    PrincipalChanged,
    SessionState,
)
from livemon.errors import Refused
from livemon.listen import offer as sdp
from livemon.listen import session as core
from livemon.listen.fanout import Fanout
from livemon.listen.gate import Gate
from livemon.listen.lean import Peer
from livemon.listen.live import LiveSession, Transport, audit_event
from livemon.listen.others import OthersClock
from livemon.listen.ports import AuditPort, CallLookup, LiveCall, StatePort
from livemon.listen.rights import missing, obstacle
from livemon.listen.session import Event, State
from livemon.listen.udp import UdpPort
from livemon.listen.uplink import Piece
from livemon.reasons import BRIDGE_AWAY
from sip_bridge.link.wire import TapPacket, TapRow
from sip_bridge.tasks import Tasks

MAX_SESSIONS: Final = 400
"""Two-track listeners one core carries (330 measured as the goal) and some that are silent."""
JOINS: Final = 4
"""Handshakes at once: each takes 7 to 9 ms of CPU in pieces, so that ticks of running audio stay below 20 ms late."""
TICK_S: Final = 0.1
_CLAIMABLE: Final = (State.CONNECTING, State.CONNECTED, State.SUSPENDED)
_REPORT_TICKS: Final = 50
"""Sender reports every 5 s (RFC 3550, 6.2: the recommended minimum)."""


class ListenService:
    """All monitoring sessions of one node.

    The node calls `on_packet` and `on_row` for what the tap delivers, `on_call` when a call changes or ends,
    `on_principal` when somebody's rights change and `on_grant_state` for the link.
    """

    def __init__(
        self,
        calls: CallLookup,
        audit: AuditPort,
        publish: StatePort,
        udp: UdpPort | None,
        fallback_url: str = "",
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._calls = calls
        self._audit = audit
        self._publish = publish
        self._udp = udp
        self.fallback_url = fallback_url
        self._clock = clock or asyncio.get_running_loop().time
        self._certificate = RTCCertificate.generateCertificate()
        self._joins = asyncio.Semaphore(JOINS)
        self._tasks = Tasks("listen")
        self._sessions: dict[str, LiveSession] = {}
        self._fanout = Fanout()
        self._gate = Gate(calls, audit, self._clock)
        self._others = OthersClock(self._sessions.values)
        self._ticks = 0
        self._background: set[asyncio.Task[None]] = set()
        self._tasks.start(self._run_ticks(), "ticks")

    async def open(self, request: ListenOpen) -> ListenOpened:
        """Open a session: rights, then the audit record, then the answer; audio starts when the browser connects."""
        call = self._gate.find(request.call)
        await self._gate.permit(request.principal, call, "listen", request.remote)
        if len(self._sessions) >= MAX_SESSIONS:
            raise Refused("too_many_sessions", "This node carries no more sessions.", 429)
        offer = self._offer(request.sdp) if request.sdp else None
        live = LiveSession(request.principal, call, request.remote, request.reason, self._clock())
        # Known from here on, so that a change of rights or of the call during the write below reaches it.
        self._sessions[live.id] = live
        try:
            await self._audit.record(live.event("listen.start", mode="listen", reason=request.reason))
            live.record_open = True
        except BaseException:
            self._sessions.pop(live.id, None)
            raise
        if live.core.state is State.CLOSED:
            self._stop_hearing(live, live.core.refused)
            raise Refused(live.core.refused, "Refused while the session was being opened.")
        answer = "" if offer is None else self._attach_peer(live, offer)
        self._attach_call(live, live.call)
        live.on_mixing = self._others.start
        live.on_spoken = self._others.spoken
        self._drain(live)
        return self._opened(live, answer)

    async def mode(self, request: ListenMode) -> SessionState:
        """Change the mode, or renew the lease of the one in force."""
        live = self._own(request.session, request.principal)
        async with live.lock:
            if request.mode == "listen":
                live.core.speak("listen", None, self._clock())
            else:
                await self._speak(live, request)
            self._drain(live)
            return self._state(live)

    async def hop(self, request: ListenHop) -> SessionState:
        """Hear another call on the same connection; its audit record is on disk before its first sample."""
        live = self._own(request.session, request.principal)
        async with live.lock:
            call = self._gate.find(request.call)
            await self._permit_in(live, request.principal, call, "listen")
            live.core.speak("listen", None, self._clock())
            self._drain(live)
            record = audit_event(
                "listen.hop", live.principal, call, live.remote, session=live.id, reason=request.reason, **live.left()
            )
            await self._audit.record(record)
            if live.core.state is State.CLOSED:
                raise Refused(live.core.refused, "The session was closed meanwhile.")
            call = self._gate.find(request.call)
            self._gate.still(live.principal, call)
            live.detach(self._fanout)
            live.core.happen(Event.HOPPED, self._clock())
            live.record_open = True
            self._attach_call(live, call)
            self._drain(live)
            return self._state(live)

    async def restart(self, request: ListenRestart) -> ListenOpened:
        """Answer a new offer of the same browser (ICE restart), or with an empty one give a new fallback ticket."""
        live = self._own(request.session, request.principal)
        async with live.lock:
            answer = ""
            if request.sdp:
                offer = self._offer(request.sdp)
                if isinstance(live.transport, Peer):
                    answer = live.transport.restart(offer)
                else:
                    answer = self._attach_peer(live, offer)
            return self._opened(live, answer)

    async def close(self, request: ListenClose) -> SessionState:
        """Close a session."""
        live = self._own(request.session, request.principal)
        self._end(live, "closed_by_user")
        return self._state(live)

    def claim(self, ticket: str) -> LiveSession | None:
        """Return the session a fallback ticket opens; a ticket works once."""
        for live in self._sessions.values():
            if live.ticket and secrets.compare_digest(live.ticket.encode(), ticket.encode()):
                live.ticket = ""
                return live if live.core.state in _CLAIMABLE else None
        return None

    def use(self, live: LiveSession, transport: Transport) -> None:
        """Let `transport` carry the session from now on."""
        if live.core.state is State.CLOSED:
            self._later(transport.close(), f"close {live.id}")
            return
        before, live.transport = live.transport, transport
        if before is not None:
            live.core.happen(Event.TRANSPORT_CHANGES, self._clock())
            self._tasks.start(before.close(), f"close {live.id}")
        self._transport_up(live)

    def on_transport_closed(self, live: LiveSession, transport: Transport, reason: str) -> None:
        """End the session whose browser is gone; one that has not connected yet may still take the fallback."""
        if live.transport is transport and live.core.state is not State.CONNECTING:
            self._end(live, reason)

    def on_packet(self, packet: TapPacket, bridge_name: str) -> None:
        """Send one tapped packet to everybody who hears its leg."""
        self._fanout.on_packet(packet, bridge_name)

    def on_row(self, row: TapRow, bridge_name: str) -> None:
        """Take in what a leg was really sent."""
        self._fanout.on_row(row, bridge_name, self._clock())

    def on_call(self, call_id: str) -> None:
        """Look at `call_id` again, because it has changed or ended."""
        for live in [live for live in self._sessions.values() if live.call.id == call_id]:
            self._recheck(live)

    def on_principal(self, change: PrincipalChanged) -> None:
        """Apply somebody's new rights to their sessions at once."""
        for live in [live for live in self._sessions.values() if live.principal.user_id == change.user_id]:
            if change.principal is None:
                self._end(live, "signed_out")
            else:
                live.principal = change.principal
                self._recheck(live)

    def on_grant_state(self, grant_id: int, state: str, reason: str) -> None:
        """Take in what the bridge made of a grant; a refused one ends the mode."""
        for live in list(self._sessions.values()):
            if live.grant_id == grant_id and state == "refused" and live.core.speaking:
                live.core.refuse(reason or "refused_by_bridge", self._clock())
                self._drain(live)

    def states(self) -> tuple[SessionState, ...]:
        """Return the state of every open session."""
        return tuple(self._state(live) for live in self._sessions.values())

    def heard(self) -> dict[str, float]:
        """Return the seconds heard so far by session, for the record of those that die with this process."""
        return {live.id: round(live.core.heard_s, 1) for live in self._sessions.values()}

    def counters(self) -> dict[str, float]:
        """Return figures for `/metrics`."""
        through = self._udp.figures() if self._udp is not None else {}
        return {"listen_sessions": len(self._sessions)} | through

    async def aclose(self) -> None:
        """Close every session, with its audit record."""
        for live in list(self._sessions.values()):
            self._end(live, "node_stops")
        self._others.stop()
        if self._background:
            # The journal and the browsers get 3 s; a disk that hangs does not keep the node from stopping.
            await asyncio.wait(self._background, timeout=3)
        await self._tasks.close()

    async def _speak(self, live: LiveSession, request: ListenMode) -> None:
        mode, lease_ms = request.mode, request.lease_ms
        call = self._gate.find(live.call.id)
        await self._permit_in(live, request.principal, call, mode)
        reason = obstacle(call, mode) or ("" if live.core.hearing else "not_connected")
        if reason:
            live.core.refuse(reason, self._clock())
            return
        if live.core.mode != mode:
            try:
                await self._audit.record(live.event("listen.mode", mode=mode, previous=live.core.mode))
            except Refused as refused:
                live.core.refuse(refused.id, self._clock())
                self._drain(live)
                raise
            # Rights, call and connection may have changed while the record was written.
            self._recheck(live)
            reason = missing(live.principal, live.call, mode) or obstacle(live.call, mode)
            if reason or not live.core.hearing:
                live.core.refuse(reason or live.core.refused, self._clock())
                return
        live.core.speak(mode, None if lease_ms is None else lease_ms / 1000, self._clock())

    def _own(self, session: str, principal: Principal) -> LiveSession:
        live = self._sessions.get(session)
        if live is None or live.principal.user_id != principal.user_id:
            raise Refused("no_such_session", "There is no such session of yours.", 404)
        return live

    async def _permit_in(self, live: LiveSession, principal: Principal, call: LiveCall, mode: Mode) -> None:
        # Both who asks and who is known here: a request that was on its way while a right was withdrawn brings
        # the old rights along.
        for person in (principal, live.principal):
            await self._gate.permit(person, call, mode, live.remote, live)

    def _recheck(self, live: LiveSession) -> None:
        if live.core.state in (State.CLOSED, State.WAITING):
            return
        call = self._calls.call(live.call.id)
        if call is None or call.state == "ended":
            self._call_ended(live)
            return
        reason = missing(live.principal, call, "listen") or obstacle(call, "listen")
        if reason and reason != BRIDGE_AWAY:
            self._end(live, reason)
            return
        if (reason == BRIDGE_AWAY) != (live.core.refused == BRIDGE_AWAY):
            live.core.happen(Event.BRIDGE_AWAY if reason else Event.BRIDGE_BACK, self._clock())
            self._drain(live)
        if reason:
            return
        reason = missing(live.principal, call, live.core.mode) or obstacle(call, live.core.mode)
        if reason:
            live.core.refuse(reason, self._clock())
            self._drain(live)
        if live.record_open:
            self._attach_call(live, call)

    def _call_ended(self, live: LiveSession) -> None:
        live.core.happen(Event.CALL_ENDED, self._clock())
        self._drain(live)
        self._stop_hearing(live, "call_ended")
        if live.core.state is State.CLOSED:
            self._end(live, "call_ended")

    def _offer(self, text: str) -> sdp.Offer:
        if self._udp is None:
            raise Refused("no_webrtc", "This node has no media port; use the fallback.", 503)
        return sdp.understood(text)

    def _attach_peer(self, live: LiveSession, offer: sdp.Offer) -> str:
        assert self._udp is not None
        peer = Peer(
            self._udp,
            offer,
            self._certificate,
            lambda packet, codec: live.on_mic(Piece(packet.seq, packet.timestamp, codec, packet.payload)),
            lambda reason: self.on_transport_closed(live, peer, reason),
        )
        if live.transport is None:
            live.transport = peer
        self._tasks.start(self._connect(live, peer), f"connect {live.id}")
        return peer.answer()

    async def _connect(self, live: LiveSession, peer: Peer) -> None:
        if await peer.connect(self._joins) and live.core.state is not State.CLOSED:
            if live.transport is peer:
                self._transport_up(live)
            else:
                self.use(live, peer)
        else:
            await peer.close()

    def _transport_up(self, live: LiveSession) -> None:
        live.core.happen(Event.TRANSPORT_UP, self._clock())
        if live.core.refused == BRIDGE_AWAY:
            # The bridge left while the browser was connecting, and may have come back since.
            live.core.happen(Event.BRIDGE_AWAY, self._clock())
            self._recheck(live)
        self._drain(live)

    def _opened(self, live: LiveSession, answer: str) -> ListenOpened:
        live.ticket = secrets.token_urlsafe(24) if self.fallback_url else ""
        return ListenOpened(live.id, answer, self.fallback_url, live.ticket)

    def _attach_call(self, live: LiveSession, call: LiveCall) -> None:
        grant_before, (_, bridge_before) = live.grant_id, live.bridge
        live.attach(call, self._fanout)
        if live.core.speaking and live.grant_id != grant_before:
            # The next renewal, 500 ms away at most, opens the new one.
            bridge_before.revoke(grant_before)

    def _stop_hearing(self, live: LiveSession, reason: str) -> None:
        live.core.tick(self._clock(), live.take_forwarded())
        live.detach(self._fanout)
        if live.record_open:
            live.record_open = False
            self._later(self._gate.record(live.event("listen.stop", reason=reason, **live.figures())), "stop")

    def _end(self, live: LiveSession, reason: str) -> None:
        if self._sessions.pop(live.id, None) is None:
            return
        self._stop_hearing(live, reason)
        live.core.happen(Event.CLOSED, self._clock(), reason)
        self._drain(live)
        if live.transport is not None:
            self._later(live.transport.close(), f"close {live.id}")

    def _drain(self, live: LiveSession) -> None:
        for output in live.core.drain():
            match output:
                case core.Grant(mode, counter):
                    live.call.bridge.grant(live.grant_id, live.call.segment, mode, counter, core.GRANT_TTL_MS)
                case core.Revoke():
                    live.call.bridge.revoke(live.grant_id)
                case core.ModeEnded(mode, seconds, reason):
                    if mode != "listen":
                        event = live.event("listen.mode", mode="listen", previous=mode, seconds=seconds, reason=reason)
                        self._later(self._gate.record(event), "mode")
                case core.Publish():
                    self._publish(self._state(live))
                case core.Close(reason):
                    self._end(live, reason)

    def _later(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = self._tasks.start(work, name)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _state(self, live: LiveSession) -> SessionState:
        return live.state(self._clock(), int(datetime.now(UTC).timestamp() * 1000))

    async def _run_ticks(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._ticks += 1
            for live in list(self._sessions.values()):
                live.core.tick(self._clock(), live.take_forwarded())
                self._drain(live)
                if self._ticks % _REPORT_TICKS == 0 and live.transport is not None:
                    live.transport.send_reports()
