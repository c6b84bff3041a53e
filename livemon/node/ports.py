"""What the switchboard needs of the shells around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sip_bridge.link.wire import TapPacket, TapRow

Fact = str | int | float | None


class Listening(Protocol):
    """The listening service as the switchboard feeds it; `livemon.listen.service.ListenService` is one."""

    def on_packet(self, packet: TapPacket, bridge_name: str) -> None:
        """Send one live packet to everybody who hears its leg."""

    def on_row(self, row: TapRow, bridge_name: str) -> None:
        """Take in what a leg was really sent."""

    def on_call(self, call_id: str) -> None:
        """Look at a call again, because it has changed, ended or gone."""

    def on_grant_state(self, grant_id: int, state: str, reason: str) -> None:
        """Take in what the bridge made of a grant."""


class Trail(Protocol):
    """Takes audit facts that gate nothing."""

    def note(self, kind: str, fields: Mapping[str, Fact]) -> None:
        """Write a fact soon; never waits."""
