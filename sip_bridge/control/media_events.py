"""What the media process tells: tap frames pass on, events become calls' state, messages and alarms."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from sip_bridge.anchor import Anchor
from sip_bridge.config import BridgeConfig
from sip_bridge.control.grants import Grants, Outcome
from sip_bridge.control.outlets import Message, Outlets, Surroundings
from sip_bridge.control.reaper import Reaper
from sip_bridge.link.replay import ReplayRing
from sip_bridge.segment import Segments

log = logging.getLogger(__name__)


class Owner(Protocol):
    """The part of the control core that events touch."""

    anchor: Anchor
    segments: Segments
    grants: Grants
    ring: ReplayRing
    counters: Counter[str]
    out: Outlets

    def drain_media(self) -> None:
        """Send the media process what the anchor has for it."""

    def apply(self, outcome: Outcome) -> None:
        """Send what follows from a grant's change."""


class MediaEvents:
    """Takes the messages of the media process, one at a time."""

    def __init__(self, control: Owner, config: BridgeConfig, given: Surroundings) -> None:
        self.stats: Message = {}
        """The last `stats` event."""
        self.stats_at = 0.0
        self._control = control
        self._config = config
        self._given = given
        self._reaper = Reaper(config.silence_seconds)
        self._listened: set[int] = set()
        self._epoch: int | None = None
        self._origins: dict[tuple[int, str, int], int] = {}
        """Start of each open origin interval, by leg, origin and session."""

    def forget(self, leg: int) -> None:
        """Drop what is known of a leg whose call is over."""
        self._reaper.forget(leg)
        self._listened.discard(leg)

    def listen(self, message: Message) -> None:
        """Pass on the node's wish to hear these legs at once, or no longer."""
        legs = message.get("legs")
        if not isinstance(legs, list) or not all(isinstance(leg, int) for leg in legs):
            return
        known = [leg for leg in legs if self._control.anchor.call_of(leg) is not None]
        on = bool(message.get("on"))
        if on:
            self._listened.update(known)
        else:
            self._listened.difference_update(known)
        self._control.out.command({"cmd": "listen", "legs": known, "on": on})

    def listen_none(self) -> None:
        """Nobody is left who listens."""
        if self._listened:
            self._control.out.command({"cmd": "listen", "legs": sorted(self._listened), "on": False})
            self._listened.clear()

    def take(self, data: bytes) -> None:
        """Take one message of the media process: an event (JSON) or a tap frame."""
        if data[:1] != b"{":
            if self._control.ring.add(data, self._given.now()):
                self._control.out.tap(data)
            return
        event = _object(data)
        handler = _EVENTS.get(str(event.get("ev")))
        if handler is None or not handler(self, event):
            self._control.counters["media_events_unknown"] += 1

    def _on_hello(self, event: Message) -> bool:
        legs, epoch = event.get("legs"), event.get("epoch")
        if not isinstance(legs, list) or not isinstance(epoch, int):
            return False
        if self._epoch is not None and epoch != self._epoch:
            log.error("the media process was restarted")
            self._control.counters["media_restarts"] += 1
        self._epoch = epoch
        self._control.anchor.resync([leg for leg in legs if isinstance(leg, int)])
        self._control.drain_media()
        self._control.out.command({"cmd": "tap", "on": True} if self._config.server else {"cmd": "tap", "on": False})
        if self._listened:
            self._control.out.command({"cmd": "listen", "legs": sorted(self._listened), "on": True})
        return True

    def _on_stats(self, event: Message) -> bool:
        self.stats, self.stats_at = event, self._given.now()
        return True

    def _on_error(self, event: Message) -> bool:
        self._control.counters["media_errors"] += 1
        log.error("media refused a command: %s", event.get("text"), extra={"cmd": event.get("cmd")})
        return True

    def _on_silent(self, event: Message) -> bool:
        leg, seconds = event.get("leg"), event.get("seconds")
        if not isinstance(leg, int) or not isinstance(seconds, int | float):
            return False
        call = self._control.anchor.call_of(leg)
        segment = self._control.segments.of_call(call) if call else None
        if call and segment is not None and self._reaper.silent(leg, seconds, segment, self._given.now()):
            self._control.counters["reaped"] += 1
            log.warning("no sound from either phone, hanging up", extra={"call": call, "seconds": seconds})
            self._control.out.hang_up(call, "no RTP from either side")
        return True

    def _on_learned(self, event: Message) -> bool:
        self._control.counters["sources_learned"] += 1
        return True

    def _on_dtmf(self, event: Message) -> bool:
        self._control.counters["dtmf"] += 1
        return True

    def _on_proof(self, event: Message) -> bool:
        segment = self._segment_of(event.get("leg"))
        self._control.counters["proof_mismatches"] += 1
        log.critical("the run-time proof failed: the whisper was cut", extra={"leg": event.get("leg")})
        self._control.out.tell({
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
        self._control.out.tell({
            "t": "origin", "segment": self._segment_of(leg), "leg": leg, "origin": origin, "start_ns": start,
            "end_ns": None if opened else at_ns, "session": session,
        })  # fmt: skip
        return True

    def _on_grant_state(self, event: Message) -> bool:
        self._control.apply(self._control.grants.told(event))
        return True

    def _segment_of(self, leg: Any) -> str:
        call = self._control.anchor.call_of(leg) if isinstance(leg, int) else None
        segment = self._control.segments.of_call(call) if call else None
        return segment.id if segment else ""


_EVENTS: dict[str, Callable[[MediaEvents, Message], bool]] = {
    "hello": MediaEvents._on_hello,
    "stats": MediaEvents._on_stats,
    "error": MediaEvents._on_error,
    "silent": MediaEvents._on_silent,
    "learned": MediaEvents._on_learned,
    "dtmf": MediaEvents._on_dtmf,
    "proof": MediaEvents._on_proof,
    "origin": MediaEvents._on_origin,
    "grant_state": MediaEvents._on_grant_state,
}


def _object(data: bytes) -> Message:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
