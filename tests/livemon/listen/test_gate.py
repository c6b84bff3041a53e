"""The gate: refusals have ids, statuses and records."""

from __future__ import annotations

import pytest

from livemon.errors import Refused
from livemon.listen.gate import DENIED_EVERY_S, Gate
from livemon.listen.live import LiveSession
from livemon.listen.ports import AuditEvent
from tests.listening import Calls, FakeCall, MemoryAudit, principal


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_an_ended_call_is_not_found(calls: Calls) -> None:
    gate = Gate(calls, MemoryAudit(), Clock())
    assert gate.find("call-1").id == "call-1"
    calls.live["call-1"].state = "ended"
    for name in ("call-1", "other"):
        with pytest.raises(Refused) as refused:
            gate.find(name)
        assert (refused.value.id, refused.value.status) == ("no_such_call", 404)


async def test_a_missing_right_is_recorded_once_in_ten_seconds(calls: Calls) -> None:
    audit, clock = MemoryAudit(), Clock()
    gate = Gate(calls, audit, clock)
    call = calls.live["call-1"]
    live = LiveSession(principal("listen"), call, "192.0.2.7", "", clock.now)
    for _ in range(3):
        with pytest.raises(Refused, match="no_right"):
            await gate.permit(principal("listen"), call, "whisper", "192.0.2.7", live)
    assert audit.kinds() == ["listen.denied"]
    assert audit.events[0].fields["reason"] == "no_right"
    clock.now += DENIED_EVERY_S
    with pytest.raises(Refused):
        await gate.permit(principal("listen"), call, "whisper", "192.0.2.7", live)
    assert len(audit.events) == 2


async def test_what_the_call_forbids_is_409_and_not_a_denial(calls: Calls) -> None:
    audit = MemoryAudit()
    gate = Gate(calls, audit, Clock())
    call = FakeCall(refused={"listen": "private_call"})
    with pytest.raises(Refused) as refused:
        await gate.permit(principal(), call, "listen", "")
    assert (refused.value.id, refused.value.status) == ("private_call", 409)
    assert audit.events == []


async def test_still_asks_again(calls: Calls) -> None:
    gate = Gate(calls, MemoryAudit(), Clock())
    gate.still(principal(), calls.live["call-1"])
    with pytest.raises(Refused, match="not_in_scope"):
        gate.still(principal(teams=()), calls.live["call-1"])


async def test_a_record_nobody_waits_for_may_fail(calls: Calls, caplog: pytest.LogCaptureFixture) -> None:
    await Gate(calls, MemoryAudit(broken=True), Clock()).record(AuditEvent("listen.stop", {}))
    assert "listen.stop not written: audit_unavailable" in caplog.text
