import json
from collections import Counter
from typing import Any

import pytest

from sip_bridge.anchor import Anchor
from sip_bridge.config import from_mapping
from sip_bridge.control.grants import Grants, Outcome
from sip_bridge.control.media_events import MediaEvents
from sip_bridge.control.outlets import Outlets, Surroundings
from sip_bridge.hooks import CallAnswered, CallStarted, Hop, Route, SdpRole, Side
from sip_bridge.identity import Direction, Identity
from sip_bridge.legs import Placement
from sip_bridge.link import wire
from sip_bridge.link.replay import ReplayRing
from sip_bridge.ports import PortPool
from sip_bridge.segment import Description, Segments

HOP = Hop("udp", "127.0.0.1", 5080)
SETTINGS = {
    "bridge": {"listen": "127.0.0.1:5070", "silence_seconds": 20},
    "trunk": [{"name": "pbx", "side": "pbx"}, {"name": "phones", "side": "phones", "route": "127.0.0.1:5080"}],
}
LINK = {"link": {"server": "unix:///run/node.sock", "key_file": "key"}}
BODY = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


class Words:
    """What was said, in order."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.taps: list[bytes] = []
        self.hung_up: list[str] = []

    def command(self, *commands: dict[str, Any]) -> None:
        self.commands.extend(commands)

    def frame(self, frame: bytes) -> None:
        raise AssertionError("events send no frames")

    def tell(self, message: dict[str, Any]) -> None:
        self.told.append(message)

    def tap(self, frame: bytes) -> None:
        self.taps.append(frame)

    def hang_up(self, call: str, reason: str) -> None:
        self.hung_up.append(call)


class Desk:
    """One answered call on legs 1 and 2; its segment is "id"."""

    def __init__(self, link: bool = True) -> None:
        self.words = Words()
        self.out: Outlets = self.words
        self.counters: Counter[str] = Counter()
        self.ring = ReplayRing()
        ids = iter(["interaction", "id"])
        self.segments = Segments("b1", lambda: next(ids))
        self.grants = Grants(self.segments)
        self.anchor = Anchor(PortPool(20000, 20008), "127.0.0.1")
        self.anchor.place("call", Placement("id", Side.CALLEE))
        about = Description("pbx", "station", Direction.INBOUND, Side.CALLEE, Identity((), "", ""))
        self.segments.start(CallStarted("call", Route(HOP, "", "pbx", "phones"), HOP, "", {}, "a", "b"), about, 0.0)
        self.anchor.sdp("call", Side.CALLER, SdpRole.OFFER, BODY)
        self.anchor.sdp("call", Side.CALLEE, SdpRole.ANSWER, BODY)
        self.anchor.drain()
        self.segments.feed(CallAnswered("call"), 0.0)
        self.segments.media("call", self.anchor.view("call"), 0.0)
        self.now = 100.0
        config = from_mapping({**SETTINGS, **(LINK if link else {})})
        self.events = MediaEvents(self, config, Surroundings(lambda: self.now, lambda: 0, lambda: ""))

    def drain_media(self) -> None:
        for command in self.anchor.drain():
            self.out.command(command)

    def apply(self, outcome: Outcome) -> None:
        for message in outcome.messages:
            self.out.tell(message)

    def take(self, **event: Any) -> None:
        self.events.take(json.dumps(event).encode())


def test_tap_frames_are_kept_and_passed_on_unchanged() -> None:
    desk = Desk()
    frame = wire.head(wire.PACKETS, 0, 1, 7, 6)
    desk.events.take(frame)
    desk.events.take(b"nonsense")
    assert desk.words.taps == [frame]
    assert desk.ring.newest_tick == 7


@pytest.mark.parametrize("link", [True, False])
def test_the_tap_runs_only_where_there_is_a_node(link: bool) -> None:
    desk = Desk(link)
    desk.take(ev="hello", epoch=1, legs=[1, 2])
    assert desk.words.commands == [{"cmd": "tap", "on": link}]


def test_a_restarted_media_process_is_brought_in_line() -> None:
    desk = Desk()
    desk.take(ev="hello", epoch=1, legs=[1, 2])
    desk.events.listen({"legs": [1, 2], "on": True})
    desk.words.commands.clear()
    desk.take(ev="hello", epoch=2, legs=[9])
    assert [one["cmd"] for one in desk.words.commands] == ["close", "open", "open", "set", "set", "tap", "listen"]
    assert desk.counters["media_restarts"] == 1
    desk.take(ev="hello", epoch=2, legs=[1, 2])
    assert desk.counters["media_restarts"] == 1


def test_listening_is_passed_on_for_known_legs() -> None:
    desk = Desk()
    desk.events.listen({"legs": [1, 2, 77], "on": True})
    desk.events.listen({"legs": [1], "on": False})
    desk.events.listen({"legs": "all"})
    desk.events.listen({"legs": ["x"]})
    assert desk.words.commands == [
        {"cmd": "listen", "legs": [1, 2], "on": True},
        {"cmd": "listen", "legs": [1], "on": False},
    ]
    desk.events.listen_none()
    assert desk.words.commands[-1] == {"cmd": "listen", "legs": [2], "on": False}
    desk.events.listen_none()
    assert len(desk.words.commands) == 3
    desk.events.forget(2)


def test_a_dead_call_is_hung_up() -> None:
    desk = Desk()
    desk.take(ev="silent", leg=1, seconds=30)
    assert desk.words.hung_up == []
    desk.take(ev="silent", leg=2, seconds=20)
    assert desk.words.hung_up == ["call"]
    desk.take(ev="silent", leg=99, seconds=20)
    desk.take(ev="silent", leg="x", seconds=20)
    assert desk.words.hung_up == ["call"]
    assert desk.counters["media_events_unknown"] == 1


def test_a_failed_proof_is_an_alarm() -> None:
    desk = Desk()
    desk.take(ev="proof", leg=1, mismatches=3)
    assert desk.words.told == [{"t": "proof", "segment": "id", "leg": 1, "mismatches": 3, "at_ns": 100_000_000_000}]
    assert desk.counters["proof_mismatches"] == 1


def test_intervals_that_are_not_passthrough_are_told_with_both_ends() -> None:
    desk = Desk()
    desk.take(ev="origin", leg=1, origin="barge", session=5, open=True, at_ns=7)
    desk.take(ev="origin", leg=1, origin="barge", session=5, open=False, at_ns=9)
    desk.take(ev="origin", leg=98, origin="barge", session=5, open=False, at_ns=11)
    spans = [(one["segment"], one["start_ns"], one["end_ns"]) for one in desk.words.told]
    assert spans == [("id", 7, None), ("id", 7, 9), ("", 11, 11)]


def test_small_events_are_counted() -> None:
    desk = Desk()
    desk.take(ev="stats", counters={"packets_in": 5}, legs={})
    desk.take(ev="error", cmd="set", text="leg 3 is not open")
    desk.take(ev="learned", leg=1, remote=["127.0.0.1", 4000])
    desk.take(ev="dtmf", leg=1)
    desk.take(ev="grant_state", session=5, state="expired", reason="")
    assert desk.events.stats["counters"] == {"packets_in": 5}
    assert desk.events.stats_at == 100.0
    assert desk.words.told == [{"t": "grant_state", "session": 5, "state": "expired", "reason": ""}]
    assert desk.counters == {"media_errors": 1, "sources_learned": 1, "dtmf": 1}


@pytest.mark.parametrize(
    "data", [b"{", b'{"ev":"new"}', b"{}", b'{"ev":"hello","legs":5}', b'{"ev":"origin","leg":1}', b'{"ev":"proof"}']
)
def test_odd_events_are_survived(data: bytes) -> None:
    desk = Desk()
    desk.events.take(data)
    assert desk.counters.total() == 1
