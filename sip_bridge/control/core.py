"""The control process without its sockets: what SIP, media and the nodes tell is joined here, and told on.

It stands behind the B2BUA as media hook and observer, behind the channel to the media process, and behind the link.
Everything goes out through `Outlets`, at once and in order.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from sip_bridge.anchor import Anchor
from sip_bridge.config import BridgeConfig
from sip_bridge.control.clock import ClockAnchor
from sip_bridge.control.grants import Grants, Outcome
from sip_bridge.control.reaper import Reaper
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


class Outlets(Protocol):
    """Where the core's words go; none of these may block."""

    def command(self, message: Message) -> None:
        """Send a JSON command to the media process."""

    def frame(self, frame: bytes) -> None:
        """Send a binary frame to the media process."""

    def tell(self, message: Message) -> None:
        """Send a JSON message to the node, if there is one."""

    def tap(self, frame: bytes) -> None:
        """Send a tap frame to the node, if there is one."""

    def hang_up(self, call: str, reason: str) -> None:
        """End a call on both sides."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Clocks, randomness and look-ups the core is given."""

    now: Callable[[], float]
    """Monotonic seconds."""
    utc_ms: Callable[[], int]
    mint: Callable[[], str]
    """A new uuid7, 32 hex digits."""
    aor: Callable[[str], str] = lambda _: ""
    """The registered address behind a request URI, or ""."""


class Control:
    """The state of one bridge's calls, media, grants and tap."""

    def __init__(
        self, config: BridgeConfig, router: TrunkRouter, outlets: Outlets, given: Surroundings, journal: Journal
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.media_stats: Message = {}
        """The last `stats` event of the media process."""
        self.stats_at = 0.0
        self.ports = PortPool(*config.rtp_ports)
        self.anchor = Anchor(self.ports, config.address, first_leg=1)
        self.segments = Segments(config.name, given.mint)
        self.grants = Grants(self.segments)
        self.ring = ReplayRing()
        self._config = config
        self._router = router
        self._out = outlets
        self._given = given
        self._journal = journal
        self._reaper = Reaper(config.silence_seconds)
        self._clock = ClockAnchor()
        self._dumps: dict[str, Message] = {}
        """What the B2BUA journals of each confirmed call."""
        self._listened: set[int] = set()
        self._epoch: int | None = None
        self._origins: dict[tuple[int, str, int], int] = {}
        """Start of each open origin interval, by leg, origin and session."""
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
            self._reaper.forget(leg.leg)
            self._listened.discard(leg.leg)
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

    # what the media process tells

    def on_media(self, data: bytes) -> None:
        """Take one message of the media process: an event (JSON) or a tap frame."""
        if data[:1] != b"{":
            if self.ring.add(data, self._given.now()):
                self._out.tap(data)
            return
        event = _object(data)
        handler = _EVENTS.get(str(event.get("ev")))
        if handler is None or not handler(self, event):
            self.counters["media_events_unknown"] += 1

    def _on_hello(self, event: Message) -> bool:
        legs, epoch = event.get("legs"), event.get("epoch")
        if not isinstance(legs, list) or not isinstance(epoch, int):
            return False
        if self._epoch is not None and epoch != self._epoch:
            log.error("the media process was restarted")
            self.counters["media_restarts"] += 1
        self._epoch = epoch
        self.anchor.resync([leg for leg in legs if isinstance(leg, int)])
        self._drain_media()
        self._out.command({"cmd": "tap", "on": True} if self._config.server else {"cmd": "tap", "on": False})
        if self._listened:
            self._out.command({"cmd": "listen", "legs": sorted(self._listened), "on": True})
        return True

    def _on_stats(self, event: Message) -> bool:
        self.media_stats, self.stats_at = event, self._given.now()
        return True

    def _on_error(self, event: Message) -> bool:
        self.counters["media_errors"] += 1
        log.error("media refused a command: %s", event.get("text"), extra={"cmd": event.get("cmd")})
        return True

    def _on_silent(self, event: Message) -> bool:
        leg, seconds = event.get("leg"), event.get("seconds")
        if not isinstance(leg, int) or not isinstance(seconds, int | float):
            return False
        call = self.anchor.call_of(leg)
        segment = self.segments.of_call(call) if call else None
        if call and segment is not None and self._reaper.silent(leg, seconds, segment, self._given.now()):
            self.counters["reaped"] += 1
            log.warning("no sound from either phone, hanging up", extra={"call": call, "seconds": seconds})
            self._out.hang_up(call, "no RTP from either side")
        return True

    def _on_learned(self, event: Message) -> bool:
        self.counters["sources_learned"] += 1
        return True

    def _on_dtmf(self, event: Message) -> bool:
        self.counters["dtmf"] += 1
        return True

    def _on_proof(self, event: Message) -> bool:
        segment = self._segment_of(event.get("leg"))
        self.counters["proof_mismatches"] += 1
        log.critical("the run-time proof failed: the whisper was cut", extra={"leg": event.get("leg")})
        self._out.tell({
            "t": "proof", "segment": segment, "leg": event.get("leg"), "mismatches": event.get("mismatches"),
            "at_ns": round(self._given.now() * 1e9),
        })  # fmt: skip
        return True

    def _on_origin(self, event: Message) -> bool:
        leg, session, at_ns, origin = (event.get(name) for name in ("leg", "session", "at_ns", "origin"))
        if not isinstance(leg, int) or not isinstance(session, int) or not isinstance(at_ns, int):
            return False
        key = (leg, str(origin), session)
        opened = bool(event.get("open"))
        start = at_ns if opened else self._origins.pop(key, at_ns)
        if opened:
            self._origins[key] = at_ns
        self._out.tell({
            "t": "origin", "segment": self._segment_of(leg), "leg": leg, "origin": origin, "start_ns": start,
            "end_ns": None if opened else at_ns, "session": session,
        })  # fmt: skip
        return True

    def _on_grant_state(self, event: Message) -> bool:
        self._apply(self.grants.told(event))
        return True

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
                self._apply(self.grants.ask(message))
            case "revoke":
                self._apply(self.grants.revoke(message))
            case "gain":
                self._apply(self.grants.gain(message))
            case "listen":
                self._listen(message)
            case _:
                self.counters["link_messages_unknown"] += 1

    def on_link_frame(self, frame: bytes) -> None:
        """Pass a whisper chunk on if its session holds a grant."""
        chunk = wire.decode(frame)
        if isinstance(chunk, wire.WhisperChunk) and chunk.session in self.grants:
            self._out.frame(frame)
        else:
            self.counters["whisper_chunks_refused"] += 1

    def on_link_lost(self) -> None:
        """End every grant: nobody is left to renew them."""
        self._apply(self.grants.lost())
        if self._listened:
            self._out.command({"cmd": "listen", "legs": sorted(self._listened), "on": False})
            self._listened.clear()

    # time

    def tick(self) -> None:
        """Do what is due once a second: the clock anchor."""
        times = self._times()
        if self._clock.due(times["mono_ns"], times["utc_ms"]):
            self._out.tell({"t": "anchor", **times})

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
        self._drain_media()
        self.segments.media(call, self.anchor.view(call), self._given.now())
        states = self.segments.drain()
        for state in states:
            if (segment := self.segments.get(state["id"])) is not None:
                self.anchor.two_lines(segment.call, segment.two_lines)
                if segment.call != call:
                    self._keep(segment.call)
            self._out.tell(state)
        self._drain_media()
        self._apply(self.grants.changed(states))
        self._keep(call)

    def _drain_media(self) -> None:
        for command in self.anchor.drain():
            self._out.command(command)
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

    def _listen(self, message: Message) -> None:
        legs = message.get("legs")
        if not isinstance(legs, list) or not all(isinstance(leg, int) for leg in legs):
            return
        known = [leg for leg in legs if self.anchor.call_of(leg) is not None]
        if message.get("on"):
            self._listened.update(known)
        else:
            self._listened.difference_update(known)
        self._out.command({"cmd": "listen", "legs": known, "on": bool(message.get("on"))})

    def _apply(self, outcome: Outcome) -> None:
        for command in outcome.commands:
            self._out.command(command)
        for message in outcome.messages:
            self._out.tell(message)

    def _segment_of(self, leg: Any) -> str:
        call = self.anchor.call_of(leg) if isinstance(leg, int) else None
        segment = self.segments.of_call(call) if call else None
        return segment.id if segment else ""

    def _times(self) -> dict[str, int]:
        return {"mono_ns": round(self._given.now() * 1e9), "utc_ms": self._given.utc_ms()}


_EVENTS: dict[str, Callable[[Control, Message], bool]] = {
    "hello": Control._on_hello,
    "stats": Control._on_stats,
    "error": Control._on_error,
    "silent": Control._on_silent,
    "learned": Control._on_learned,
    "dtmf": Control._on_dtmf,
    "proof": Control._on_proof,
    "origin": Control._on_origin,
    "grant_state": Control._on_grant_state,
}


def _object(data: bytes) -> Message:
    import json

    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
