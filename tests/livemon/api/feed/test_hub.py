from __future__ import annotations

import asyncio
from typing import Literal

import msgspec
import pytest
from sqlalchemy.exc import OperationalError

from livemon.api.feed.hub import FeedHub
from livemon.api.feed.outlet import Outlet
from livemon.api.feed.world import LOST_AFTER
from livemon.bus.memory import MemoryHub
from livemon.bus.messages import NodeUpdate, Principal, PrincipalChanged, SessionState
from livemon.store.records import PastCall
from tests.live_calls import NOW_MS, SUPERVISOR, Page, call, health, update
from tests.web_site import Site, until


class Reading:
    """A page that reads at once."""

    def __init__(self, principal: Principal = SUPERVISOR) -> None:
        self.principal = principal
        self.outlet = Outlet()
        self.me = b"{}"
        self.page = Page()
        self.others: list[dict[str, object]] = []
        self.checks = 0

    def wake(self) -> None:
        while (frame := self.outlet.take()) is not None:
            message = msgspec.json.decode(frame)
            if message["type"] in ("snapshot", "delta"):
                self.page.feed(frame)
            else:
                self.others.append(message)

    def recheck(self) -> None:
        self.checks += 1


async def test_pages_of_one_scope_share_a_view_that_goes_with_the_last(made: Site) -> None:
    hub = made.web.feed
    one, two, other = Reading(), Reading(), Reading(msgspec.structs.replace(SUPERVISOR, all_calls=True))
    for reader in (one, two, other):
        hub.attach(reader)
    assert len(hub._views) == 2 and len(hub) == 3
    hub.detach(one)
    assert len(hub._views) == 2
    hub.detach(two)
    hub.detach(two)
    assert len(hub._views) == 1
    assert set(other.page.calls) == {"c1", "c2"}


async def test_a_node_that_was_missed_is_asked_for_everything(made: Site) -> None:
    reader = Reading()
    made.web.feed.attach(reader)
    made.node.calls["c5"] = call("c5")
    made.node.seq += 3
    made.node.publish(calls=(call("c6"),))
    await until(lambda: {"c5", "c6"} <= set(reader.page.calls))


async def test_a_node_without_a_snapshot_is_asked_again_and_bad_messages_are_passed_over(
    made: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livemon.api.feed.hub.SNAPSHOT_RETRY", 0.05)
    made.node.bus.publish("calls.node-0", b"\xc1")
    other = made.hub.connect("node-1")
    answers = [b"\xc1", msgspec.msgpack.encode(update(4, "node-1", full=True, calls=(call("c8", node="node-1"),)))]

    async def answer(method: str, body: bytes) -> bytes:
        return answers.pop(0)

    other.serve("node.node-1", answer)
    other.publish("node.node-1", msgspec.msgpack.encode(health("node-1")))
    await until(lambda: "c8" in made.web.feed.world.calls)


async def test_a_change_of_rights_waits_for_the_bus_and_reaches_pages_at_once(made: Site) -> None:
    hub = made.web.feed
    reader, stranger = Reading(), Reading(msgspec.structs.replace(SUPERVISOR, user_id="u2"))
    hub.attach(reader)
    hub.attach(stranger)
    await made.web.bus.close()
    hub.principal_changed(PrincipalChanged("u1", None))
    assert (reader.checks, stranger.checks) == (1, 0)
    assert hub._unsent
    made.web.bus.attached()  # type: ignore[attr-defined]
    hub._send_changes()
    assert not hub._unsent


async def test_a_change_that_another_process_published_is_checked_too(made: Site) -> None:
    reader = Reading()
    made.web.feed.attach(reader)
    made.node.bus.publish("principal", msgspec.msgpack.encode(PrincipalChanged("u1", None)))
    await until(lambda: reader.checks == 1)


async def test_a_page_that_moved_gets_the_new_scope_whole(made: Site) -> None:
    reader = Reading()
    made.web.feed.attach(reader)
    reader.principal = msgspec.structs.replace(SUPERVISOR, teams=("red",), queues=())
    made.web.feed.moved(reader)
    assert set(reader.page.calls) == {"c2"}


async def test_session_states_are_kept_until_the_end_and_told_to_the_owner(made: Site) -> None:
    hub = made.web.feed
    reader = Reading()
    hub.attach(reader)
    made.node.session(SessionState("s1", "u1", "c1", "listen", "connected"))
    await until(lambda: "s1" in hub.sessions)
    hub.session_opened("s1", "node-0", "u1", "c1", True)
    assert hub.sessions["s1"].state.state == "connected"
    hub.refused("s1", "whisper", "agent_holds")
    hub.refused("gone", "whisper", "agent_holds")
    made.node.session(SessionState("s1", "u1", "c1", "listen", "closed"))
    await until(lambda: "s1" not in hub.sessions)
    assert [one["refused"] for one in reader.others] == ["", "agent_holds", ""]


async def test_ended_calls_wait_in_memory_while_the_database_is_away() -> None:
    bus = MemoryHub().connect("web")
    hub = FeedHub(bus, lambda: NOW_MS)
    kept: list[PastCall] = []
    failures = 1

    async def keep(calls: list[PastCall]) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise OperationalError("insert", None, Exception("away"))
        kept.extend(calls)

    hub.world.feed(NodeUpdate("node-0", 1, NOW_MS, True, (call(),)), 0.0)
    hub.world.feed(NodeUpdate("node-0", 2, NOW_MS, False, gone=("c1",)), 0.0)
    await hub._keep(keep)
    assert not kept
    await hub._keep(keep)
    await hub._keep(keep)
    assert [past.id for past in kept] == ["c1"] and not hub.world.ended
    await asyncio.sleep(0)
    await hub.close()


def state_of(session: str, state: Literal["connected", "closed"] = "connected") -> SessionState:
    return SessionState(session, SUPERVISOR.user_id, "c1", "listen", state)


async def test_sessions_a_restarted_node_does_not_name_are_closed_and_new_ones_taken_over(made: Site) -> None:
    hub, reader = made.web.feed, Reading()
    hub.attach(reader)
    hub.session_opened("old", "node-0", SUPERVISOR.user_id, "c1", webrtc=True)
    hub.session_opened("elsewhere", "node-1", SUPERVISOR.user_id, "c9", webrtc=True)
    full = update(1, full=True, calls=(call("c1"),))
    hub._take(msgspec.structs.replace(full, sessions=(state_of("new"),)))
    assert set(hub.sessions) == {"elsewhere", "new"}
    assert [(one["session"], one["state"], one["refused"]) for one in reader.others] == [("old", "closed", "node_lost")]


async def test_sessions_of_a_node_that_stays_away_are_given_up_with_its_calls(made: Site) -> None:
    hub = made.web.feed
    hub.session_opened("s1", "node-0", SUPERVISOR.user_id, "c1", webrtc=True)
    now = asyncio.get_running_loop().time()
    hub._tick_world(now + LOST_AFTER - 10)
    assert set(hub.sessions) == {"s1"}
    hub._tick_world(now + LOST_AFTER + 10)
    assert hub.sessions == {}
