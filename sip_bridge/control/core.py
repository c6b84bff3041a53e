"""The control process without its sockets: what SIP, media and the nodes tell is joined here, and told on.

It stands behind the B2BUA as media hook and observer, behind the channel to the media process, and behind the link.
Everything goes out through `Outlets`, at once and in order.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any

from sip_bridge.anchor import Anchor
from sip_bridge.config import BridgeConfig
from sip_bridge.control.clock import ClockAnchor
from sip_bridge.control.grants import Grants, Outcome
from sip_bridge.control.media_events import MediaEvents
from sip_bridge.control.outlets import Outlets, Surroundings
from sip_bridge.errors import BridgeError
from sip_bridge.hooks import CallEnded, CallEvent, CallStarted, Route, SdpRole, Side
from sip_bridge.identity import Caller, identify, interaction_id
from sip_bridge.journal import Journal
from sip_bridge.legs import PREFERENCE, Placement
from sip_bridge.link import wire
from sip_bridge.link.replay import ReplayRing
from sip_bridge.ports import PortPool
from sip_bridge.routing import TrunkRouter
from sip_bridge.segment import Description, Segments

log = logging.getLogger(__name__)

Message = dict[str, Any]


class Control:
    """The state of one bridge's calls, media, grants and tap."""

    def __init__(
        self, config: BridgeConfig, router: TrunkRouter, outlets: Outlets, given: Surroundings, journal: Journal
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.ports = PortPool(*config.rtp_ports)
        self.anchor = Anchor(self.ports, config.address, first_leg=1)
        self.segments = Segments(config.name, given.mint)
        self.grants = Grants(self.segments)
        self.ring = ReplayRing()
        self._config = config
        self._router = router
        self.out = outlets
        self._given = given
        self._journal = journal
        self.media = MediaEvents(self, config, given)
        self._clock = ClockAnchor()
        self._dumps: dict[str, Message] = {}
        """What the B2BUA journals of each confirmed call."""
        boot = journal.values.get("boot")
        self._boot = boot if isinstance(boot, str) else given.mint()
        journal.put("boot", self._boot)
        leg = journal.values.get("leg")
        self._leg_block = leg if isinstance(leg, int) else 0
        self._reserve_legs()

    # what the B2BUA asks and tells

    def sdp(self, call: str, sender: Side, role: SdpRole, body: bytes) -> bytes:
        """Anchor a body (`MediaHook`); media hears of it before the body is sent on."""
        self.anchor.now = self._given.now()
        out = self.anchor.sdp(call, sender, role, body)
        self._sync(call)
        return out

    def refused(self, call: str, sender: Side) -> None:
        """Undo an offer (`MediaHook`)."""
        self.anchor.refused(call, sender)
        self._sync(call)

    def ended(self, call: str) -> None:
        """Release the media of a call (`MediaHook`)."""
        self.anchor.now = self._given.now()
        for leg in self.anchor.view(call).legs:
            self.media.forget(leg.leg)
        self.anchor.ended(call)
        self._sync(call)

    def on_call(self, event: CallEvent, now: float) -> None:
        """Take note of a call's progress (`CallObserver`)."""
        self.anchor.now = now
        if isinstance(event, CallStarted):
            self._started(event, now)
        self.counters[type(event).__name__] += 1
        self.segments.feed(event, now)
        if isinstance(event, CallEnded):
            log.info("call ended", extra={"call": event.call, "status": event.status})
        self._sync(event.call)

    def on_dump(self, call: str, dump: Message | None, now: float) -> None:
        """Keep what the B2BUA needs to take the call up again (its journal callback); None: the call is over."""
        if dump is None:
            self._dumps.pop(call, None)
            self._journal.drop(f"call:{call}")
        else:
            self._dumps[call] = dump
            self._keep(call)

    def on_binding(self, token: str, dump: Message | None, now: float) -> None:
        """Keep a registration (the registrar's journal callback); None: it is gone."""
        if dump is None:
            self._journal.drop(f"binding:{token}")
        else:
            self._journal.put(f"binding:{token}", dump)

    def journalled_bindings(self) -> list[Message]:
        """Return the registrations of an earlier life."""
        return [value for key, value in self._journal.values.items() if key.startswith("binding:")]

    def journalled_calls(self) -> list[tuple[str, Message]]:
        """Return key and record of the calls of an earlier life."""
        found = [(key, value) for key, value in self._journal.values.items() if key.startswith("call:")]
        return [(key.removeprefix("call:"), value if isinstance(value, dict) else {}) for key, value in found]

    def restore(self, call: str, record: Message) -> None:
        """Take up one confirmed call; raises BridgeError when its record cannot be used."""
        try:
            sip = record["sip"]
            _, request_uri, trunk_in, trunk_out = sip["route"]
            route = Route(self._config.listen[0], request_uri, trunk_in, trunk_out)
            segment = self.segments.restore(call, record["segment"])
            if record["media"] is not None:
                self.anchor.restore(call, record["media"], self._placement(segment.id, route, segment.about.agent))
        except (KeyError, TypeError, ValueError) as error:
            raise BridgeError(f"the journal's record of a call cannot be read: {error}") from error
        self._dumps[call] = sip
        self._sync(call)

    # what a node tells (`LinkOwner`)

    def announcement(self) -> Iterable[Message]:
        """Return what a node is told first."""
        yield {
            "t": "hello", "version": wire.VERSION, "bridge": self._config.name, "boot": self._boot, **self._times(),
            "oldest_tick": self.ring.oldest_tick, "newest_tick": self.ring.newest_tick,
        }  # fmt: skip
        yield from self.segments.live()
        yield {"t": "announced"}

    def replay_after(self, tick: int | None) -> list[bytes]:
        """Return the tap frames held after `tick`."""
        return self.ring.after(tick)

    def on_link_text(self, message: Message) -> None:
        """Take a JSON message of the node; unknown ones are ignored, as the protocol says."""
        match message.get("t"):
            case "grant":
                self.apply(self.grants.ask(message))
            case "revoke":
                self.apply(self.grants.revoke(message))
            case "gain":
                self.apply(self.grants.gain(message))
            case "listen":
                self.media.listen(message)
            case _:
                self.counters["link_messages_unknown"] += 1

    def on_link_frame(self, frame: bytes) -> None:
        """Pass a whisper chunk on if its session holds a grant."""
        chunk = wire.decode(frame)
        if isinstance(chunk, wire.WhisperChunk) and chunk.session in self.grants:
            self.out.frame(frame)
        else:
            self.counters["whisper_chunks_refused"] += 1

    def on_link_lost(self) -> None:
        """End every grant: nobody is left to renew them."""
        self.apply(self.grants.lost())
        self.media.listen_none()

    # time

    def tick(self) -> None:
        """Do what is due once a second: the clock anchor."""
        times = self._times()
        if self._clock.due(times["mono_ns"], times["utc_ms"]):
            self.out.tell({"t": "anchor", **times})

    # within

    def _started(self, event: CallStarted, now: float) -> None:
        direction, agent = self._router.sides(event.route)
        trunk = self._router.outer(event.route)
        caller = Caller(event.request_uri, event.headers, direction, self._given.aor(event.request_uri))
        identity = identify(caller, trunk.agent, trunk.queue)
        interaction = interaction_id(event.headers, trunk.interaction)
        about = Description(trunk.name, trunk.placement.value, direction, agent, identity, interaction)
        segment = self.segments.start(event, about, now)
        self.anchor.place(event.call, self._placement(segment.id, event.route, agent))
        log.info("call started", extra={"call": event.call, "segment": segment.id, "trunk": trunk.name})

    def _placement(self, segment: str, route: Route, agent: Side | None) -> Placement:
        caller, callee = self._router.trunks[route.trunk_in], self._router.trunks[route.trunk_out]
        outer = self._router.outer(route)
        codecs = (*((name,) for name in outer.codecs), *PREFERENCE[-2:]) if outer.codecs else PREFERENCE
        return Placement(
            segment, agent, (caller.advertise, callee.advertise), outer.open_ear,
            (caller.source_learning, callee.source_learning), codecs,
        )  # fmt: skip

    def _sync(self, call: str) -> None:
        """Tell everyone what has changed with `call`, and with calls that changed because of it."""
        self.drain_media()
        self.segments.media(call, self.anchor.view(call), self._given.now())
        states = self.segments.drain()
        for state in states:
            if (segment := self.segments.get(state["id"])) is not None:
                self.anchor.two_lines(segment.call, segment.two_lines)
                if segment.call != call:
                    self._keep(segment.call)
            self.out.tell(state)
        self.drain_media()
        self.apply(self.grants.changed(states))
        self._keep(call)

    def drain_media(self) -> None:
        """Send the media process what the anchor has for it."""
        if commands := self.anchor.drain():
            self.out.command(*commands)
        if self.anchor.next_leg > self._leg_block:
            self._reserve_legs()

    def _reserve_legs(self) -> None:
        """Journal a block of leg ids, so that a later life never gives one out again."""
        self.anchor.next_leg = max(self.anchor.next_leg, self._leg_block + 1)
        # One journal line for 500 calls; 2**32 ids last 8 years at 8 calls a second.
        self._leg_block = self.anchor.next_leg + 1000
        self._journal.put("leg", self._leg_block)

    def _keep(self, call: str) -> None:
        """Journal a confirmed call as it stands."""
        sip = self._dumps.get(call)
        segment = self.segments.dump(call)
        if sip is not None and segment is not None:
            self._journal.put(f"call:{call}", {"sip": sip, "media": self.anchor.dump(call), "segment": segment})

    def apply(self, outcome: Outcome) -> None:
        """Send what follows from a grant's change."""
        for command in outcome.commands:
            self.out.command(command)
        for message in outcome.messages:
            self.out.tell(message)

    def _times(self) -> dict[str, int]:
        return {"mono_ns": round(self._given.now() * 1e9), "utc_ms": self._given.utc_ms()}
