from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from livemon.bus.messages import AlertView, CallView, SessionState
from livemon.node.ports import Fact
from livemon.node.switchboard import Switchboard
from livemon.tap.messages import Anchor, Announced, Dropped, FromBridge, GrantState, Hello, Leg, Origin, Proof
from sip_bridge.link.wire import TapFrame, TapPacket, TapRow
from tests.bridges import tone
from tests.segments import DIRECTORY, TALKING, for_agent, segment

START = 50_000_000
UTC = 1_700_000_000_000
VOICE = tone(250)


class Surroundings:
    """The link, the listening service and the audit trail, as lists."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.heard: list[Any] = []
        self.facts: list[tuple[str, Mapping[str, Fact]]] = []
        self.board: Switchboard | None = None

    def send(self, message: str | bytes) -> None:
        self.sent.append(json.loads(message))

    def on_packet(self, packet: TapPacket, bridge_name: str) -> None:
        self.heard.append((bridge_name, packet))

    def on_row(self, row: TapRow, bridge_name: str) -> None:
        self.heard.append((bridge_name, row))

    def on_call(self, call_id: str) -> None:
        self.heard.append(call_id)

    def on_grant_state(self, grant_id: int, state: str, reason: str) -> None:
        self.heard.append((grant_id, state, reason))

    def note(self, kind: str, fields: Mapping[str, Fact]) -> None:
        self.facts.append((kind, fields))


class Play:
    """A switchboard with one bridge, and a clock that is only moved by hand."""

    def __init__(self) -> None:
        self.around = Surroundings()
        self.board = Switchboard("node-0", DIRECTORY, self.around)
        self.local = START
        self.ticks = 0

    @property
    def now_ms(self) -> int:
        return UTC + (self.local - START) // 1000

    def attach(self) -> None:
        hello = Hello(1, "b1", "x", self.local * 1000, self.now_ms, 0, 0)
        self.board.attached(self.around, hello, self.local, self.now_ms)

    def say(self, *messages: FromBridge) -> None:
        for message in messages:
            self.board.message("b1", message, self.local, self.now_ms)

    def talk(self, seconds: float, agent: bool = False) -> list[AlertView]:
        """Let time pass with sound of the agent, or with silence of both; return the alerts."""
        alerts: list[AlertView] = []
        for _ in range(round(seconds * 50)):
            self.local += 20_000
            self.ticks += 1
            packets = tuple(
                TapPacket(
                    leg, self.ticks & 0xFFFF, 0, False, 0, self.ticks * 160, self.local - 2000, self._sound(leg, agent)
                )
                for leg in (7, 8)
            )
            self.board.frame("b1", TapFrame(1, self.ticks, self.ticks - 1, packets), self.local)
            self.board.step(self.local)
            if self.ticks % 5 == 0:
                self.board.judge(self.local, self.now_ms)
                alerts += self.board.publisher.update(self.now_ms).alerts
        return alerts

    def _sound(self, leg: int, agent: bool) -> bytes:
        return VOICE[self.ticks % 250] if agent and leg == 7 else b"\xff" * 160

    def view(self, call: str = "i1") -> CallView:
        return next(view for view in self.board.snapshot(self.now_ms).calls if view.id == call)


def now_talking(**changes: Any) -> Any:
    at = START * 1000
    return segment(started_ns=at, answered_ns=at, state_since_ns=at, **changes)


@pytest.fixture
def play() -> Play:
    made = Play()
    made.attach()
    made.board.listening = made.around
    return made


def test_a_call_is_published_measured_and_goes(play: Play) -> None:
    assert play.around.sent == [{"t": "welcome", "version": 1, "node": "node-0", "resume_tick": None}]
    play.say(now_talking(), Announced())
    play.talk(3.0, agent=True)
    second = play.board.second(play.now_ms)
    assert second.figures[0].agent_talk_ms > 2000
    assert {spurt.party for spurt in second.spurts} == {"agent"}
    play.say(now_talking(state="ended"))
    assert play.board.publisher.update(play.now_ms).calls[0].state == "ended"
    play.talk(5.2)
    assert (play.board.snapshot(play.now_ms).calls, len(play.board.book)) == ((), 0)


def test_dead_air_is_raised_with_the_thresholds_of_the_queue(play: Play) -> None:
    play.say(now_talking())
    play.talk(2.0, agent=True)
    first, second = [alert for alert in play.talk(11.0) if alert.rule == "dead_air"]
    assert (first.severity, second.severity) == ("warn", "alert")
    assert 9900 <= second.value_ms <= 10_300
    assert play.board.snapshot(play.now_ms).alerts[0].rule == "dead_air"
    assert play.board.counters()["alerts_active"] == 1.0
    play.say(now_talking(state="ended"))
    (cleared,) = play.talk(0.2)
    assert cleared.state == "cleared"


def test_alerts_of_a_call_that_vanishes_are_cleared(play: Play) -> None:
    play.say(now_talking(), Proof("s1", 8, 2, 0))
    (raised,) = play.board.publisher.update(play.now_ms).alerts
    assert (raised.rule, raised.severity, raised.state) == ("proof", "critical", "raised")
    play.say(Proof("s1", 8, 1, 0))
    assert play.board.publisher.update(play.now_ms).alerts == ()
    assert play.view().proof_failures == 3
    play.talk(6.0)
    play.say(now_talking(interaction="i2"))
    cleared = play.board.publisher.update(play.now_ms)
    assert cleared.gone == ("i1",)
    assert {(alert.rule, alert.state) for alert in cleared.alerts} == {("proof", "cleared"), ("dead_air", "cleared")}
    play.say(Proof("nowhere", 8, 1, 0))
    assert [kind for kind, _ in play.around.facts] == ["call.proof_failed"] * 3


def test_listeners_get_packets_of_listened_legs_rows_calls_and_grants(play: Play) -> None:
    play.say(now_talking(), GrantState(4, "refused", "agent_holds"))
    assert play.around.heard == ["i1", (4, "refused", "agent_holds")]
    play.around.heard.clear()
    play.board.ports["b1"].listen([8], True)
    packets = tuple(TapPacket(leg, 1, 0, False, 0, 0, START, b"") for leg in (7, 8))
    row = TapRow(7, 1, 0, 0, 0, 0, 0)
    play.board.frame("b1", TapFrame(1, 1, 0, packets), START)
    play.board.frame("b1", TapFrame(1, 2, 1, rows=(row,)), START)
    assert play.around.heard == [("b1", packets[1]), ("b1", row)]


def test_without_a_listening_service_all_goes_on(play: Play) -> None:
    play.board.listening = None
    play.say(now_talking(), GrantState(4, "refused", ""))
    play.board.ports["b1"].listen([7], True)
    play.talk(0.1)
    assert play.around.heard == []


def test_what_else_a_bridge_says(play: Play) -> None:
    play.say(now_talking(), Anchor(START * 1000, UTC), Dropped(3), Hello(1, "b1", "x", 1, 1))
    play.say(Origin("s1", 8, "barge", 1, None, 4))
    assert play.board.counters()["tap_dropped_by_bridge"] == 3
    ((kind, fields),) = play.around.facts
    assert (kind, fields["call"], fields["origin"], fields["end_ns"]) == ("call.origin", "i1", "barge", None)


def session(mode: str = "listen", state: str = "connected", call: str = "i1") -> SessionState:
    return SessionState("x", "u", call, mode, state)  # type: ignore[arg-type]


def test_sessions_show_on_the_call(play: Play) -> None:
    play.say(now_talking(), now_talking(id="s2", interaction="i2", identity=for_agent("202"), legs=()))
    play.board.session(session(state="connecting"), 1)
    assert (play.view().listeners, play.board.sessions) == (0, 0)
    play.board.session(session(), 1)
    assert (play.view().listeners, play.view().modes, play.board.sessions) == (1, ("listen",), 1)
    play.board.publisher.update(1)
    play.board.session(session(), 1)
    assert not play.board.publisher.urgent
    play.board.session(session("whisper"), 1)
    assert play.view().modes == ("whisper",)
    play.board.session(session(call="i2"), 1)
    assert (play.view().listeners, play.view("i2").listeners) == (0, 1)
    play.board.session(session(state="closed", call="i2"), 1)
    assert (play.view("i2").listeners, play.board.sessions) == (0, 0)


def test_a_service_that_answers_a_change_with_a_change_is_heard_in_order(play: Play) -> None:
    class Hopper(Surroundings):
        def on_call(self, call_id: str) -> None:
            play.board.session(session(state="connected"), 1)

    play.board.listening = Hopper()
    play.say(now_talking())
    assert play.board.publisher.update(1).calls[0].listeners == 1


def test_a_new_directory_renames(play: Play) -> None:
    play.say(now_talking())
    play.board.directory(DIRECTORY.__class__(2, (), (), ()), 1)
    assert play.view().agent_id == "unassigned"


def test_only_the_newest_link_of_a_bridge_counts(play: Play) -> None:
    newer = Surroundings()
    play.board.attached(newer, Hello(1, "b1", "y", START * 1000, UTC), START, UTC)
    play.board.detached("b1", play.around, START, UTC)
    assert play.board.current("b1") is newer
    play.board.detached("b1", newer, START, UTC)
    assert play.board.current("b1") is None


def test_a_checkpoint_continues_calls_and_figures(play: Play) -> None:
    play.say(now_talking())
    play.talk(3.0, agent=True)
    kept = play.board.keep(play.now_ms)
    before = play.board.second(play.now_ms).figures[0]

    later = Play()
    later.board.recall(kept)
    later.local, later.ticks = play.local + 1_000_000, play.ticks
    later.attach()
    assert later.around.sent[0]["resume_tick"] == play.ticks
    later.say(now_talking(), Announced())
    later.talk(1.0, agent=True)
    after = later.board.second(later.now_ms).figures[0]
    assert after.agent_talk_ms >= before.agent_talk_ms + 500
    assert later.view() == play.view()


def test_a_leg_without_a_codec_is_not_in_the_way(play: Play) -> None:
    play.say(now_talking(legs=(Leg(7, "agent", "G729"),), capabilities=("measure",)))
    assert play.talk(1.0) == []
    assert TALKING.id == play.view().segment
