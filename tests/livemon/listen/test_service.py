"""The listening service with a real browser connection (aiortc) and doubles of the node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from livemon.bus.messages import (
    ListenClose,
    ListenHop,
    ListenMode,
    ListenOpen,
    ListenRestart,
    Mode,
    PrincipalChanged,
    SessionState,
)
from livemon.errors import Refused
from livemon.listen import service as module
from livemon.listen.ports import LegMedia
from livemon.listen.service import ListenService
from livemon.listen.udp import UdpPort
from tests.listening import (
    Calls,
    FakeBridge,
    FakeCall,
    MemoryAudit,
    RtcClient,
    States,
    Wire,
    from_ulaw,
    peak_hz,
    principal,
    row,
)

pytestmark = pytest.mark.slow

SUE = principal()


class Desk:
    """A node with one service, and the supervisors' browsers."""

    def __init__(self, calls: Calls, udp: UdpPort) -> None:
        self.calls = calls
        self.audit = MemoryAudit()
        self.states = States()
        self.service = ListenService(calls, self.audit, self.states, udp, fallback_url="ws://127.0.0.1:1/")
        self.clients: list[RtcClient] = []

    @property
    def call(self) -> FakeCall:
        return self.calls.live["call-1"]

    @property
    def bridge(self) -> FakeBridge:
        return self.call.bridge

    async def join(self, who: str = "sue", mic_hz: float | None = None, connect: bool = True) -> str:
        client = RtcClient(mic_hz)
        self.clients.append(client)
        opened = await self.service.open(
            ListenOpen(principal(user=who), "call-1", await client.offer(), "192.0.2.7", "coaching")
        )
        await client.accept(opened.sdp)
        if connect:
            assert await client.connected()
            await until(lambda: any(s.session == opened.session and s.state == "connected" for s in self.states.seen))
        return opened.session

    async def play(self, seconds: float, *wires: Wire) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for n in range(int(seconds * 50)):
            for wire in wires:
                self.service.on_packet(wire.packet(int(loop.time() * 1e6)), "b1")
            await asyncio.sleep(max(0.0, start + (n + 1) * 0.02 - loop.time()))

    async def mode(self, session: str, mode: Mode, lease_ms: int | None = None, who: str = "sue") -> SessionState:
        return await self.service.mode(ListenMode(principal(user=who), session, mode, lease_ms))

    async def close(self) -> None:
        for client in self.clients:
            await client.close()
        await self.service.aclose()


async def until(condition: object, seconds: float = 4.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


@pytest.fixture
async def desk(calls: Calls, udp: UdpPort) -> AsyncIterator[Desk]:
    made = Desk(calls, udp)
    yield made
    await made.close()


async def test_both_legs_are_heard_and_the_record_came_first(desk: Desk) -> None:
    session = await desk.join()
    assert desk.audit.kinds() == ["listen.start"]
    assert desk.audit.events[0].fields["user"] == "sue"
    assert desk.audit.events[0].fields["remote"] == "192.0.2.7"
    assert desk.audit.events[0].fields["reason"] == "coaching"
    assert desk.bridge.log == [("listen", (1,), True), ("listen", (2,), True)]
    await desk.play(1.5, Wire(1, 440), Wire(2, 880))
    assert abs(peak_hz(desk.clients[0].samples(0)[-4800:], 8000)[0] - 440) < 10
    assert abs(peak_hz(desk.clients[0].samples(1)[-4800:], 8000)[0] - 880) < 10
    assert [(state.call, state.mode) for state in desk.service.states()] == [("call-1", "listen")]
    state = await desk.service.close(ListenClose(SUE, session))
    assert (state.state, state.refused) == ("closed", "closed_by_user")
    assert 1000 <= state.heard_ms <= 3000
    await until(lambda: "listen.stop" in desk.audit.kinds())
    assert desk.audit.events[-1].fields["heard_s"] == pytest.approx(state.heard_ms / 1000, abs=0.06)
    assert desk.bridge.log[2:] == [("listen", (1,), False), ("listen", (2,), False)]


async def test_no_sample_leaves_while_the_record_is_not_written(desk: Desk) -> None:
    desk.audit.gate = asyncio.Event()
    opening = asyncio.create_task(desk.join(connect=False))  # noqa: TID251 - awaited below
    await asyncio.sleep(0.1)
    await desk.play(0.2, Wire(1, 440))
    assert desk.service.counters()["listen_sent"] == 0
    assert desk.bridge.log == []
    desk.audit.gate.set()
    await opening
    assert desk.audit.kinds() == ["listen.start"]


async def test_without_a_journal_there_is_no_session(desk: Desk) -> None:
    desk.audit.broken = True
    with pytest.raises(Refused) as refused:
        await desk.join()
    assert (refused.value.id, refused.value.status) == ("audit_unavailable", 503)
    assert desk.service.counters()["listen_sessions"] == 0
    assert desk.bridge.log == []


async def test_a_supervisor_without_the_right_is_refused_and_written_down(desk: Desk) -> None:
    client = RtcClient()
    desk.clients.append(client)
    request = ListenOpen(principal("view"), "call-1", await client.offer(), "192.0.2.7")
    with pytest.raises(Refused) as refused:
        await desk.service.open(request)
    assert (refused.value.id, refused.value.status) == ("no_right", 403)
    assert desk.audit.kinds() == ["listen.denied"]
    with pytest.raises(Refused, match="no_such_call"):
        await desk.service.open(ListenOpen(SUE, "other", "", ""))
    desk.call.refused["listen"] = "private_call"
    with pytest.raises(Refused, match="private_call"):
        await desk.service.open(ListenOpen(SUE, "call-1", "", ""))
    desk.call.refused.clear()
    with pytest.raises(Refused, match="bad_sdp"):
        await desk.service.open(ListenOpen(SUE, "call-1", "v=1", ""))


async def test_a_whisper_reaches_the_bridge_as_mulaw_while_the_key_is_held(desk: Desk) -> None:
    session = await desk.join(mic_hz=600)
    await asyncio.sleep(0.2)
    assert desk.bridge.chunks == []
    state = await desk.mode(session, "whisper", 1500)
    assert (state.mode, state.refused) == ("whisper", "")
    assert desk.audit.kinds() == ["listen.start", "listen.mode"]
    await until(lambda: len(desk.bridge.chunks) >= 45)
    await desk.mode(session, "listen")
    grants = [entry for entry in desk.bridge.log if entry[0] == "grant"]
    assert grants[0][2:] == ("seg-1", "whisper", 1, 2000)
    assert grants[1][4] == 2
    assert desk.bridge.kinds()[-1] == "revoke"
    count = len(desk.bridge.chunks)
    await asyncio.sleep(0.2)
    assert len(desk.bridge.chunks) == count
    assert {chunk.session for chunk in desk.bridge.chunks} == {grants[0][1]}
    found, share = peak_hz(from_ulaw(b"".join(c.payload for c in desk.bridge.chunks[5:])), 8000)
    assert abs(found - 600) < 10
    assert share > 0.9
    await until(lambda: desk.audit.kinds().count("listen.mode") == 2)
    assert 0.5 < float(desk.audit.events[-1].fields["seconds"] or 0) < 4


async def test_the_lease_ends_the_whisper_by_itself(desk: Desk) -> None:
    session = await desk.join(mic_hz=600)
    await desk.mode(session, "whisper", 300)
    await until(lambda: desk.states.last.mode == "listen")
    assert desk.bridge.kinds()[-1] == "revoke"


async def test_whisper_is_refused_with_the_reason_of_the_call(desk: Desk) -> None:
    session = await desk.join()
    desk.call.refused["whisper"] = "agent_has_two_lines"
    state = await desk.mode(session, "whisper", 1500)
    assert (state.mode, state.refused) == ("listen", "agent_has_two_lines")
    desk.call.refused.clear()
    with pytest.raises(Refused, match="no_right"):
        await desk.service.mode(ListenMode(principal("listen", "whisper"), session, "barge"))
    with pytest.raises(Refused, match="no_right"):
        await desk.service.mode(ListenMode(principal("listen", "whisper"), session, "barge"))
    assert desk.audit.kinds().count("listen.denied") == 1
    assert "grant" not in desk.bridge.kinds()


async def test_a_whisper_whose_record_cannot_be_written_does_not_happen(desk: Desk) -> None:
    session = await desk.join()
    desk.audit.broken = True
    with pytest.raises(Refused, match="audit_unavailable"):
        await desk.mode(session, "whisper")
    assert "grant" not in desk.bridge.kinds()
    assert desk.states.last.refused == "audit_unavailable"


async def test_a_right_that_is_taken_away_while_the_record_is_written_counts(desk: Desk) -> None:
    session = await desk.join()
    desk.audit.gate = asyncio.Event()
    speaking = asyncio.create_task(desk.mode(session, "whisper"))  # noqa: TID251 - awaited below
    await asyncio.sleep(0.05)
    desk.service.on_principal(PrincipalChanged("sue", principal("listen")))
    desk.audit.gate.set()
    state = await speaking
    assert (state.mode, state.refused) == ("listen", "no_right")
    assert "grant" not in desk.bridge.kinds()


async def test_the_bridge_can_refuse_a_grant(desk: Desk) -> None:
    session = await desk.join()
    await desk.mode(session, "barge")
    grant_id = next(int(str(entry[1])) for entry in desk.bridge.log if entry[0] == "grant")
    desk.service.on_grant_state(grant_id, "expired", "")
    assert desk.states.last.mode == "barge"
    desk.service.on_grant_state(grant_id, "refused", "agent_has_two_lines")
    assert (desk.states.last.mode, desk.states.last.refused) == ("listen", "agent_has_two_lines")


async def test_the_meter_shows_what_the_agent_leg_was_sent(desk: Desk) -> None:
    session = await desk.join()
    desk.service.on_row(row(1, 800, -2000), "b1")
    await desk.mode(session, "whisper")
    desk.service.on_row(row(1, 1600, -1850), "b1")
    await until(lambda: desk.states.last.whispered_ms == 100)
    assert desk.states.last.whisper_dbfs == -18.5
    desk.service.on_row(row(1, 9999, -1850), "another bridge")
    desk.service.on_row(row(77, 9999, -1850), "b1")
    await until(lambda: desk.states.last.whisper_dbfs == -96.0)
    assert desk.states.last.whispered_ms == 100


async def test_hop_keeps_the_connection_and_writes_first(desk: Desk) -> None:
    session = await desk.join()
    second = FakeCall("call-2", "seg-2", agent_leg=LegMedia(11, "agent"), customer_leg=LegMedia(12, "customer"))
    desk.calls.add(second)
    await desk.play(0.5, Wire(1, 440))
    await desk.mode(session, "whisper")
    state = await desk.service.hop(ListenHop(SUE, session, "call-2", "next"))
    assert (state.call, state.mode, state.heard_ms) == ("call-2", "listen", 0)
    assert desk.bridge.kinds().count("revoke") == 1
    hop = next(event for event in desk.audit.events if event.kind == "listen.hop")
    assert (hop.fields["call"], hop.fields["left_call"]) == ("call-2", "call-1")
    await desk.play(0.8, Wire(11, 1000), Wire(1, 440))
    assert abs(peak_hz(desk.clients[0].samples(0)[-2400:], 8000)[0] - 1000) < 10
    with pytest.raises(Refused, match="no_such_call"):
        await desk.service.hop(ListenHop(SUE, session, "call-3"))


async def test_a_call_that_ends_leaves_the_session_open_for_a_hop(desk: Desk) -> None:
    session = await desk.join()
    await desk.mode(session, "whisper")
    del desk.calls.live["call-1"]
    desk.service.on_call("call-1")
    assert (desk.states.last.state, desk.states.last.refused) == ("connected", "call_ended")
    await until(lambda: "listen.stop" in desk.audit.kinds())
    assert desk.states.last.refused == "call_ended"
    with pytest.raises(Refused, match="no_such_call"):
        await desk.mode(session, "whisper")
    desk.calls.add(FakeCall("call-2"))
    state = await desk.service.hop(ListenHop(SUE, session, "call-2"))
    assert (state.state, state.call, state.refused) == ("connected", "call-2", "")
    await desk.service.close(ListenClose(SUE, session))
    await until(lambda: desk.audit.kinds().count("listen.stop") == 2)


async def test_rights_and_scope_are_checked_at_every_change(desk: Desk) -> None:
    await desk.join()
    desk.service.on_principal(PrincipalChanged("sue", principal(teams=("support",))))
    assert (desk.states.last.state, desk.states.last.refused) == ("closed", "not_in_scope")
    again = await desk.join("max")
    desk.service.on_principal(PrincipalChanged("nobody", None))
    desk.service.on_principal(PrincipalChanged("max", None))
    assert (desk.states.last.session, desk.states.last.refused) == (again, "signed_out")
    third = await desk.join("eve")
    desk.call.refused["listen"] = "private_call"
    desk.service.on_call("call-1")
    assert (desk.states.last.session, desk.states.last.refused) == (third, "private_call")
    assert desk.service.counters()["listen_sessions"] == 0


async def test_new_legs_of_the_call_are_heard(desk: Desk) -> None:
    await desk.join()
    desk.call.customer_leg = LegMedia(5, "customer")
    desk.call.other_legs = (LegMedia(6, "third"),)
    desk.service.on_call("call-1")
    await desk.play(1.2, Wire(5, 1500), Wire(6, 2000))
    assert abs(peak_hz(desk.clients[0].samples(1)[-3200:], 8000)[0] - 1500) < 10
    assert abs(peak_hz(desk.clients[0].samples(2)[-3200:], 8000)[0] - 2000) < 10
    assert desk.bridge.log[-3:] == [("listen", (leg,), True) for leg in (1, 5, 6)]


async def test_another_supervisor_hears_the_coach_in_the_third_slot(desk: Desk) -> None:
    speaker = await desk.join("sue", mic_hz=600)
    await desk.join("max")
    await desk.mode(speaker, "whisper")
    await asyncio.sleep(1.5)
    await desk.mode(speaker, "listen")
    assert abs(peak_hz(desk.clients[1].samples(2)[-4800:-1600], 8000)[0] - 600) < 15
    own = desk.clients[0].samples(2)
    assert not own.size or float((own**2).mean()) < 1e-4


async def test_a_session_belongs_to_who_opened_it(desk: Desk) -> None:
    session = await desk.join()
    for call in (
        desk.service.mode(ListenMode(principal(user="eve"), session, "whisper")),
        desk.service.close(ListenClose(principal(user="eve"), session)),
        desk.service.hop(ListenHop(principal(user="eve"), session, "call-1")),
        desk.service.restart(ListenRestart(principal(user="eve"), session, "")),
    ):
        with pytest.raises(Refused, match="no_such_session"):
            await call


async def test_an_ice_restart_is_answered(desk: Desk) -> None:
    session = await desk.join()
    offer = (await desk.clients[0].offer()).replace("a=ice-ufrag:", "a=ice-ufrag:x")
    opened = await desk.service.restart(ListenRestart(SUE, session, offer))
    assert "a=ice-lite" in opened.sdp
    ticket = (await desk.service.restart(ListenRestart(SUE, session, ""))).fallback_ticket
    assert ticket != opened.fallback_ticket
    assert desk.service.claim(opened.fallback_ticket) is None
    claimed = desk.service.claim(ticket)
    assert claimed is not None
    assert claimed.id == session
    assert desk.service.claim(ticket) is None


async def test_a_browser_that_goes_away_closes_the_session(desk: Desk) -> None:
    await desk.join()
    await desk.clients[0].close()
    await until(lambda: desk.states.last.state == "closed")
    assert desk.states.last.refused == "browser_closed"
    await until(lambda: "listen.stop" in desk.audit.kinds())


async def test_sessions_are_limited(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SESSIONS", 0)
    with pytest.raises(Refused, match="too_many_sessions"):
        await desk.service.open(ListenOpen(SUE, "call-1", "", ""))


async def test_stopping_the_node_writes_the_end_of_every_session(desk: Desk) -> None:
    await desk.join()
    await desk.service.aclose()
    assert desk.audit.events[-1].kind == "listen.stop"
    assert desk.audit.events[-1].fields["reason"] == "node_stops"


async def test_a_node_without_a_media_port_offers_the_fallback_only(calls: Calls) -> None:
    service = ListenService(calls, MemoryAudit(), States(), None, fallback_url="ws://x/")
    client = RtcClient()
    with pytest.raises(Refused, match="no_webrtc"):
        await service.open(ListenOpen(SUE, "call-1", await client.offer(), ""))
    opened = await service.open(ListenOpen(SUE, "call-1", "", ""))
    assert (opened.sdp, opened.fallback_url) == ("", "ws://x/")
    assert len(opened.fallback_ticket) >= 32
    await client.close()
    await service.aclose()


async def test_a_hop_that_is_overtaken_by_a_sign_out_hears_nothing(desk: Desk) -> None:
    session = await desk.join()
    second = FakeCall("call-2", "seg-2", agent_leg=LegMedia(11, "agent"))
    desk.calls.add(second)
    desk.audit.gate = asyncio.Event()
    hopping = asyncio.create_task(desk.service.hop(ListenHop(SUE, session, "call-2")))  # noqa: TID251 - awaited
    await asyncio.sleep(0.05)
    desk.service.on_principal(PrincipalChanged("sue", None))
    desk.audit.gate.set()
    with pytest.raises(Refused, match="signed_out"):
        await hopping
    assert second.bridge.log == []


async def test_a_call_that_ends_before_the_browser_connects_closes_the_session(desk: Desk) -> None:
    await desk.join(connect=False)
    del desk.calls.live["call-1"]
    desk.service.on_call("call-1")
    assert (desk.states.last.state, desk.states.last.refused) == ("closed", "call_ended")


async def test_a_whisper_into_a_new_segment_gets_a_new_grant(desk: Desk) -> None:
    session = await desk.join()
    await desk.mode(session, "whisper")
    first = next(entry[1] for entry in desk.bridge.log if entry[0] == "grant")
    desk.call.segment = "seg-2"
    desk.service.on_call("call-1")
    await until(lambda: any(entry[0] == "grant" and entry[1] != first for entry in desk.bridge.log))
    assert ("revoke", first) in desk.bridge.log
    assert next(entry[2] for entry in desk.bridge.log if entry[0] == "grant" and entry[1] != first) == "seg-2"


async def test_a_session_outlives_the_absence_of_its_bridge(desk: Desk) -> None:
    session = await desk.join()
    await desk.mode(session, "whisper")
    desk.call.refused = dict.fromkeys(("listen", "whisper", "barge"), "bridge_away")
    desk.service.on_call("call-1")
    assert (desk.states.last.state, desk.states.last.mode, desk.states.last.refused) == (
        "connected",
        "listen",
        "bridge_away",
    )
    assert desk.bridge.kinds()[-1] == "revoke"
    with pytest.raises(Refused, match="bridge_away") as refused:
        await desk.mode(session, "whisper")
    assert refused.value.status == 503
    published = len(desk.states.seen)
    desk.service.on_call("call-1")
    assert len(desk.states.seen) == published, "known already"
    desk.call.refused = {}
    desk.service.on_call("call-1")
    assert (desk.states.last.state, desk.states.last.refused) == ("connected", "")
    await desk.play(1.2, Wire(1, 440))
    assert abs(peak_hz(desk.clients[0].samples(0)[-3200:], 8000)[0] - 440) < 10
    assert desk.audit.kinds().count("listen.stop") == 0
    assert desk.service.heard()[session] > 0
