"""The ports can be implemented in memory, and legs read their packets by RFC 3551 by default."""

from __future__ import annotations

from livemon.listen.ports import AuditPort, BridgePort, CallLookup, LegMedia, LiveCall, StatePort
from tests.listening import Calls, FakeBridge, FakeCall, MemoryAudit, States


def test_the_doubles_are_what_the_node_has_to_be() -> None:
    bridge: BridgePort = FakeBridge()
    call: LiveCall = FakeCall()
    calls: CallLookup = Calls()
    audit: AuditPort = MemoryAudit()
    states: StatePort = States()
    assert all((bridge, call, audit, states))
    assert calls.call("none") is None


def test_a_leg_is_pcmu_unless_it_says_otherwise() -> None:
    assert LegMedia(1, "agent") == LegMedia(1, "agent", "PCMU", {})
