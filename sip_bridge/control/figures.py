"""What the control process counts, as figures for `/metrics`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sip_bridge.metrics import Figure, counted, single


@dataclass(frozen=True, slots=True)
class Picture:
    """The state of the bridge at the moment of a scrape."""

    calls: int
    segments: Mapping[str, int]
    """Live segments by state."""
    ports_free: int
    ports: int
    grants: int
    link_up: bool
    link_attempts: int
    tap_dropped: int
    replay_bytes: int
    draining: bool
    media_silent_s: float
    """Seconds since the media process last answered."""
    media: Mapping[str, Any]
    """The counters of its last `stats`."""
    counters: Mapping[str, int]
    anchor: Mapping[str, int]
    sip: Mapping[str, int]


def figures(now: Picture) -> list[Figure]:
    """Return every figure of the bridge."""
    media = {key: value for key, value in now.media.items() if isinstance(value, int | float)}
    out = [
        single("livemon_bridge_calls_active", "gauge", "Calls that are not over.", now.calls),
        Figure(
            "livemon_bridge_segments", "gauge", "Live segments by state.",
            {(("state", state),): float(count) for state, count in now.segments.items()},
        ),
        single("livemon_bridge_rtp_ports", "gauge", "RTP ports of the range.", now.ports),
        single("livemon_bridge_rtp_ports_free", "gauge", "RTP ports ready for a call.", now.ports_free),
        single("livemon_bridge_grants_open", "gauge", "Sessions that may speak into a call.", now.grants),
        single("livemon_bridge_link_up", "gauge", "1 while a node is connected.", now.link_up),
        single("livemon_bridge_link_attempts_total", "counter", "Attempts to reach a node.", now.link_attempts),
        single("livemon_bridge_tap_dropped_total", "counter", "Tap frames a slow node cost.", now.tap_dropped),
        single("livemon_bridge_replay_bytes", "gauge", "Bytes held for a replay.", now.replay_bytes),
        single("livemon_bridge_draining", "gauge", "1 while no new calls are taken.", now.draining),
        single("livemon_bridge_media_silent_seconds", "gauge", "Since media last answered.", now.media_silent_s),
        single(
            "livemon_bridge_proof_mismatches_total", "counter",
            "Packets to a customer that were not what had come in, and no barge.",
            now.counters.get("proof_mismatches", 0),
        ),
        counted("livemon_bridge_media_total", "Counters of the media process.", media),
        counted("livemon_bridge_events_total", "What control has seen.", now.counters),
        counted("livemon_bridge_not_anchored_total", "Bodies whose media runs past us, or unheard.", now.anchor),
        counted("livemon_bridge_sip_total", "Counters of the SIP layer.", now.sip),
    ]  # fmt: skip
    return [figure for figure in out if figure.values]


def states(messages: list[dict[str, Any]]) -> Mapping[str, int]:
    """Return how many segments are in each state."""
    return Counter(str(message["state"]) for message in messages)
