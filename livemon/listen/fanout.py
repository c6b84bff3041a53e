"""From a leg of a bridge to everybody who hears it; called for each tapped packet, so it is one look-up and a loop."""

from __future__ import annotations

from collections.abc import Callable

from livemon.listen.ports import BridgePort
from sip_bridge.link.wire import TapPacket, TapRow

Tap = Callable[[TapPacket], None]
RowTap = Callable[[TapRow, float], None]


class Fanout:
    """Who hears which leg; tells the bridge when the first comes and the last goes."""

    def __init__(self) -> None:
        self._taps: dict[str, dict[int, tuple[Tap, ...]]] = {}
        self._rows: dict[tuple[str, int], tuple[RowTap, ...]] = {}

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

    def watch(self, bridge_name: str, leg: int, tap: RowTap) -> None:
        """Let `tap` take the rows of `leg`."""
        self._rows[bridge_name, leg] = (*self._rows.get((bridge_name, leg), ()), tap)

    def unwatch(self, tap: RowTap) -> None:
        """Let `tap` take no more rows."""
        for key, taps in list(self._rows.items()):
            left = tuple(other for other in taps if other != tap)
            if left:
                self._rows[key] = left
            else:
                del self._rows[key]

    def on_row(self, row: TapRow, bridge_name: str, now: float) -> None:
        """Hand one row on; `now` in seconds of the service's clock."""
        for tap in self._rows.get((bridge_name, row.leg), ()):
            tap(row, now)
