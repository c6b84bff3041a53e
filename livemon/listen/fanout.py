"""From a leg of a bridge to everybody who hears it; called for each tapped packet, so it is one look-up and a loop."""

from __future__ import annotations

from collections.abc import Callable

from livemon.listen.ports import BridgePort
from sip_bridge.link.wire import TapPacket

Tap = Callable[[TapPacket], None]


class Fanout:
    """Who hears which leg; tells the bridge when the first comes and the last goes."""

    def __init__(self) -> None:
        self._taps: dict[str, dict[int, tuple[Tap, ...]]] = {}

    def add(self, bridge_name: str, bridge: BridgePort, leg: int, tap: Tap) -> None:
        """Let `tap` take the packets of `leg`."""
        legs = self._taps.setdefault(bridge_name, {})
        before = legs.get(leg, ())
        legs[leg] = (*before, tap)
        if not before:
            bridge.listen([leg], True)

    def remove(self, bridge_name: str, bridge: BridgePort, leg: int, tap: Tap) -> None:
        """Let `tap` take no more packets of `leg`."""
        legs = self._taps.get(bridge_name, {})
        left = tuple(other for other in legs.get(leg, ()) if other is not tap)
        if left:
            legs[leg] = left
        elif legs.pop(leg, None) is not None:
            bridge.listen([leg], False)

    def legs(self, bridge_name: str) -> tuple[int, ...]:
        """Return the legs of a bridge somebody hears."""
        return tuple(sorted(self._taps.get(bridge_name, {})))

    def on_packet(self, packet: TapPacket, bridge_name: str) -> None:
        """Hand one tapped packet on."""
        legs = self._taps.get(bridge_name)
        if legs is not None:
            for tap in legs.get(packet.leg, ()):
                tap(packet)
