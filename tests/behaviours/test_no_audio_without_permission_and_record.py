"""Nobody hears a call without the right to, and not before an audit record of it is on the disk.

For every way into a call (open, hop) and every way it can be forbidden (right, scope, policy of the call, unwritable
journal, a right withdrawn while the record is being written), not one packet leaves the media port. When it is
allowed, the record is on the disk before the first packet leaves. A right that is withdrawn cuts the audio at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from livemon.audit.entry import Entry, parse
from livemon.audit.journal import Journal
from livemon.bus.messages import ListenHop, ListenMode, ListenOpen, Principal, PrincipalChanged
from livemon.errors import Refused
from livemon.listen.live import LiveSession
from livemon.listen.ports import LegMedia
from livemon.listen.service import ListenService
from livemon.node.audit import NodeAudit
from sip_bridge.link.wire import TapPacket
from tests.listening import Calls, FakeCall, MemoryAudit, States, Wire, principal


class Ear:
    """A connected transport that remembers what reached the browser."""

    kind: Final = "webrtc"
    connected = True

    def __init__(self) -> None:
        self.got: list[tuple[int, TapPacket]] = []

    def forward(self, slot: int, packet: TapPacket, codec: str) -> bool:
        self.got.append((slot, packet))
        return True

    def cut(self, slot: int) -> None:
        """Nothing to cut."""

    def send_reports(self) -> None:
        """Nothing to report."""

    async def close(self) -> None:
        self.connected = False


class FileJournal(Journal):
    """The node's journal on a real disk; remembers how many packets had left when each entry was on it."""

    def __init__(self, path: Path, ear: Ear) -> None:
        super().__init__(path, "node-0")
        self._ear = ear
        self.heard_before: list[tuple[str, int]] = []

    def append(self, kind: str, fields: Mapping[str, Any]) -> Entry:
        entry = super().append(kind, fields)
        self.heard_before.append((kind, len(self._ear.got)))
        return entry


@pytest.fixture
def calls() -> Calls:
    made = Calls()
    made.add(FakeCall(), FakeCall("call-2", "seg-2", agent_leg=LegMedia(11, "agent"), customer_leg=None))
    return made


@pytest.fixture
async def service(calls: Calls) -> AsyncIterator[ListenService]:
    made = ListenService(calls, MemoryAudit(), States(), None, fallback_url="ws://x/")
    yield made
    await made.aclose()


async def opened(service: ListenService, who: Principal, ear: Ear, call: str = "call-1") -> LiveSession:
    answer = await service.open(ListenOpen(who, call, "", "192.0.2.7"))
    live = service.claim(answer.fallback_ticket)
    assert live is not None
    service.use(live, ear)
    return live


def speak(service: ListenService, *legs: int) -> None:
    for leg in legs:
        service.on_packet(Wire(leg, 440).packet(0), "b1")


FORBIDDEN = [
    (principal("view"), "no_right"),
    (principal("whisper", "barge"), "no_right"),
    (principal(teams=()), "not_in_scope"),
    (principal(teams=("support",)), "not_in_scope"),
]


@pytest.mark.parametrize(("who", "reason"), FORBIDDEN)
async def test_who_may_not_hears_nothing(service: ListenService, who: Principal, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        await service.open(ListenOpen(who, "call-1", "", ""))
    speak(service, 1, 2)
    assert service.counters()["listen_sessions"] == 0
    assert service.claim("") is None


async def test_an_unassigned_call_is_for_those_who_see_all(service: ListenService, calls: Calls) -> None:
    calls.live["call-1"].agent_id = "unassigned"
    with pytest.raises(Refused, match="not_in_scope"):
        await service.open(ListenOpen(principal(), "call-1", "", ""))
    ear = Ear()
    await opened(service, principal(all_calls=True), ear)
    speak(service, 1)
    assert len(ear.got) == 1


@pytest.mark.parametrize(("who", "reason"), FORBIDDEN)
async def test_a_hop_asks_again(service: ListenService, who: Principal, reason: str) -> None:
    ear = Ear()
    live = await opened(service, principal(), ear)
    with pytest.raises(Refused, match=reason):
        await service.hop(ListenHop(who, live.id, "call-2"))
    speak(service, 11)
    assert ear.got == []


async def test_the_record_is_on_the_disk_before_the_first_packet(calls: Calls, tmp_path: Path) -> None:
    ear = Ear()
    journal = FileJournal(tmp_path / "journal", ear)
    audit = NodeAudit(journal, lambda entries: None)
    service = ListenService(calls, audit, States(), None, fallback_url="ws://x/")
    live = await opened(service, principal(), ear)
    speak(service, 1, 2)
    await service.hop(ListenHop(principal(), live.id, "call-2"))
    speak(service, 11)
    assert journal.heard_before == [("listen.start", 0), ("listen.hop", 2)]
    entries = [parse(line) for line in (tmp_path / "journal").read_bytes().splitlines()]
    assert [entry.kind for entry in entries if isinstance(entry, Entry)] == ["listen.start", "listen.hop"]
    assert len(entries) == 2
    assert len(ear.got) == 3
    await service.aclose()
    await audit.close()


async def test_an_unwritable_journal_means_silence(calls: Calls) -> None:
    audit = MemoryAudit(broken=True)
    service = ListenService(calls, audit, States(), None, fallback_url="ws://x/")
    with pytest.raises(Refused) as refused:
        await service.open(ListenOpen(principal(), "call-1", "", ""))
    assert refused.value.status == 503
    audit.broken = False
    ear = Ear()
    live = await opened(service, principal(), ear)
    audit.broken = True
    with pytest.raises(Refused, match="audit_unavailable"):
        await service.hop(ListenHop(principal(), live.id, "call-2"))
    speak(service, 11)
    assert ear.got == []
    with pytest.raises(Refused, match="audit_unavailable"):
        await service.mode(ListenMode(principal(), live.id, "whisper"))
    assert "grant" not in calls.live["call-1"].bridge.kinds()
    await service.aclose()


async def test_a_right_withdrawn_while_the_record_is_written_counts(calls: Calls) -> None:
    audit = MemoryAudit(gate=asyncio.Event())
    service = ListenService(calls, audit, States(), None, fallback_url="ws://x/")
    opening = asyncio.create_task(service.open(ListenOpen(principal(), "call-1", "", "")))  # noqa: TID251
    await asyncio.sleep(0)
    service.on_principal(PrincipalChanged("sue", None))
    assert audit.gate is not None
    audit.gate.set()
    with pytest.raises(Refused, match="signed_out"):
        await opening
    assert calls.live["call-1"].bridge.log == []
    await service.aclose()
    assert audit.kinds() == ["listen.start", "listen.stop"]


async def test_a_withdrawn_right_cuts_the_audio_at_once(service: ListenService) -> None:
    ear = Ear()
    await opened(service, principal(), ear)
    speak(service, 1)
    service.on_principal(PrincipalChanged("sue", principal("view")))
    speak(service, 1, 2)
    assert len(ear.got) == 1


async def test_a_request_with_old_rights_does_not_bring_them_back(service: ListenService, calls: Calls) -> None:
    live = await opened(service, principal(), Ear())
    service.on_principal(PrincipalChanged("sue", principal("listen")))
    with pytest.raises(Refused, match="no_right"):
        await service.mode(ListenMode(principal(), live.id, "whisper"))
    service.on_principal(PrincipalChanged("sue", principal("listen", teams=("sales",))))
    calls.live["call-2"].team = "support"
    with pytest.raises(Refused, match="not_in_scope"):
        await service.hop(ListenHop(principal(), live.id, "call-2"))
    assert "grant" not in calls.live["call-1"].bridge.kinds()


async def test_a_private_call_cuts_every_live_listener(service: ListenService, calls: Calls) -> None:
    ears = [Ear(), Ear()]
    await opened(service, principal(user="sue"), ears[0])
    await opened(service, principal(user="max"), ears[1])
    calls.live["call-1"].refused["listen"] = "private_call"
    service.on_call("call-1")
    speak(service, 1, 2)
    assert [ear.got for ear in ears] == [[], []]
    assert service.counters()["listen_sessions"] == 0
