import itertools
from typing import Any

import pytest

from sip_bridge.config import from_mapping
from sip_bridge.control.core import Control
from sip_bridge.control.outlets import Surroundings
from sip_bridge.errors import BridgeError
from sip_bridge.hooks import CallAnswered, CallEnded, CallStarted, Hop, Route, SdpRole, Side
from sip_bridge.journal import Journal
from sip_bridge.link import wire
from sip_bridge.link.wire import WhisperChunk
from sip_bridge.routing import TrunkRouter

HOP = Hop("udp", "127.0.0.1", 5080)
ROUTE = Route(HOP, "sip:201@127.0.0.1", "pbx", "phones")
SETTINGS = {
    "bridge": {"listen": "127.0.0.1:5070", "silence_seconds": 20},
    "link": {"server": "unix:///run/node.sock", "key_file": "key"},
    "trunk": [
        {"name": "pbx", "side": "pbx", "codecs": ["PCMU"]},
        {"name": "phones", "side": "phones", "route": "127.0.0.1:5080"},
    ],
}


def sdp(port: int, *rows: str) -> bytes:
    head = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", f"m=audio {port} RTP/AVP 0"]
    return "\r\n".join([*head, *rows, ""]).encode()


class Store:
    def __init__(self) -> None:
        self.data = bytearray()

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self.data[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        self.data[offset : offset + len(data)] = data

    def size(self) -> int:
        return len(self.data)

    def cut(self, size: int) -> None:
        del self.data[size:]


class Stage:
    """A control core on a counted clock; what it says is in `commands`, `frames`, `told`, `taps`, `hung_up`."""

    def __init__(self, store: Store | None = None, **bridge: Any) -> None:
        self.now = 100.0
        self.utc = 1_700_000_000_000
        self.commands: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        self.told: list[dict[str, Any]] = []
        self.taps: list[bytes] = []
        self.hung_up: list[str] = []
        self.store = store or Store()
        config = from_mapping({**SETTINGS, **bridge})
        count = itertools.count(1)
        given = Surroundings(lambda: self.now, lambda: self.utc, lambda: f"id{next(count)}")
        self.control = Control(config, TrunkRouter(config.trunks, frozenset()), self, given, Journal(self.store))

    def command(self, *commands: dict[str, Any]) -> None:
        self.commands.extend(commands)

    def frame(self, frame: bytes) -> None:
        self.frames.append(frame)

    def tell(self, message: dict[str, Any]) -> None:
        self.told.append(message)

    def tap(self, frame: bytes) -> None:
        self.taps.append(frame)

    def hang_up(self, call: str, reason: str) -> None:
        self.hung_up.append(call)

    def start(self, call: str = "call", **headers: str) -> None:
        given = {"from": ("<sip:+4930@carrier>",), **{name: (value,) for name, value in headers.items()}}
        started = CallStarted(call, ROUTE, HOP, "sip:201@127.0.0.1", given, f"{call}-a", f"{call}-b")
        self.control.on_call(started, self.now)
        self.control.sdp(call, Side.CALLER, SdpRole.OFFER, sdp(4000))

    def up(self, call: str = "call") -> "Stage":
        self.start(call)
        self.control.sdp(call, Side.CALLEE, SdpRole.ANSWER, sdp(5000))
        self.control.on_call(CallAnswered(call), self.now)
        dump = {"route": [["udp", "127.0.0.1", 5080, 0], "sip:201@127.0.0.1", "pbx", "phones"]}
        self.control.on_dump(call, dump, self.now)
        return self

    def state(self) -> dict[str, Any]:
        return [one for one in self.told if one["t"] == "segment"][-1]

    def grant(self, call: str = "call", session: int = 5) -> None:
        segment = self.control.segments.of_call(call)
        assert segment is not None
        ask = {"t": "grant", "session": session, "segment": segment.id, "mode": "whisper", "counter": 1, "ttl_ms": 500}
        self.control.on_link_text(ask)


def test_a_call_is_told_to_media_and_to_the_node() -> None:
    stage = Stage().up()
    assert [one["cmd"] for one in stage.commands] == ["open", "open", "set", "set"]
    state = stage.state()
    assert (state["state"], state["direction"], state["trunk"]) == ("talking", "inbound", "pbx")
    assert state["identity"] == {"agent": ["sip:201@127.0.0.1", "201"], "queue": "", "customer": "+4930"}
    assert state["capabilities"] == ["listen", "measure", "whisper", "barge"]
    assert [leg["party"] for leg in state["legs"]] == ["customer", "agent"]


def test_media_is_told_before_the_body_is_sent_on() -> None:
    stage = Stage()
    stage.start()
    stage.commands.clear()
    stage.control.sdp("call", Side.CALLEE, SdpRole.ANSWER, sdp(5000))
    assert [one["remote"] for one in stage.commands] == [["127.0.0.1", 4000], ["127.0.0.1", 5000]]


def test_the_end_closes_and_forgets() -> None:
    stage = Stage().up()
    stage.control.on_call(CallEnded("call", 200, "OK", Side.CALLER), 120.0)
    stage.control.ended("call")
    stage.control.on_dump("call", None, 120.0)
    assert [one["cmd"] for one in stage.commands[-2:]] == ["close", "close"]
    assert stage.state()["cause"] == "hang_up_customer"
    assert stage.control.journalled_calls() == []


def test_a_refused_offer_changes_nothing() -> None:
    stage = Stage().up()
    stage.control.sdp("call", Side.CALLER, SdpRole.OFFER, sdp(4000, "a=inactive"))
    stage.commands.clear()
    stage.control.refused("call", Side.CALLER)
    assert stage.commands == []
    assert stage.state()["state"] == "talking"


def test_the_agents_hold_takes_the_grant_back() -> None:
    stage = Stage().up()
    stage.grant()
    assert stage.commands[-1]["cmd"] == "grant"
    stage.control.sdp("call", Side.CALLEE, SdpRole.OFFER, sdp(5000, "a=sendonly"))
    stage.control.sdp("call", Side.CALLER, SdpRole.ANSWER, sdp(4000, "a=recvonly"))
    assert stage.commands[-1] == {"cmd": "revoke", "session": 5}
    assert stage.told[-1] == {"t": "grant_state", "session": 5, "state": "revoked", "reason": "agent_holds"}


def test_a_second_line_takes_the_grant_back_and_is_told_to_media() -> None:
    stage = Stage().up()
    stage.grant()
    stage.up("second")
    assert {"cmd": "revoke", "session": 5} in stage.commands
    flags = {one["leg"]: one["two_lines"] for one in stage.commands if one["cmd"] == "set"}
    assert flags == {1: True, 2: True, 3: True, 4: True}
    stage.grant("second", session=6)
    assert stage.told[-1]["reason"] == "agent_has_two_lines"


def test_the_node_is_told_everything_first() -> None:
    stage = Stage().up()
    first, segment, last = stage.control.announcement()
    assert first == {
        "t": "hello", "version": 1, "bridge": "b1", "boot": "id1", "mono_ns": 100_000_000_000,
        "utc_ms": 1_700_000_000_000, "oldest_tick": 0, "newest_tick": 0,
    }  # fmt: skip
    assert segment == stage.state()
    assert last == {"t": "announced"}


def test_a_node_speaks_only_into_sessions_with_a_grant() -> None:
    stage = Stage().up()
    chunk = wire.whisper_frame(WhisperChunk(5, 1, 160, b"x" * 160))
    stage.control.on_link_frame(chunk)
    stage.control.on_link_frame(b"nonsense")
    assert stage.frames == []
    assert stage.control.counters["whisper_chunks_refused"] == 2
    stage.grant()
    stage.control.on_link_frame(chunk)
    assert stage.frames == [chunk]
    stage.control.on_link_text({"t": "gain", "session": 5, "whisper_db": 3, "duck_db": -6})
    stage.control.on_link_text({"t": "revoke", "session": 5})
    assert [one["cmd"] for one in stage.commands[-2:]] == ["gain", "revoke"]
    stage.control.on_link_text({"t": "strange"})
    assert stage.control.counters["link_messages_unknown"] == 1


def test_the_end_of_the_link_ends_every_grant_and_no_call() -> None:
    stage = Stage().up()
    stage.grant()
    assert stage.control.replay_after(0) == []
    stage.control.on_link_text({"t": "listen", "legs": [1, 99], "on": True})
    assert stage.commands[-1] == {"cmd": "listen", "legs": [1], "on": True}
    stage.control.on_link_lost()
    assert stage.commands[-2:] == [{"cmd": "revoke_all"}, {"cmd": "listen", "legs": [1], "on": False}]
    stage.control.on_link_lost()
    assert len(stage.control.segments) == 1
    assert stage.hung_up == []


def test_the_clock_is_told() -> None:
    stage = Stage()
    stage.control.tick()
    stage.now += 1
    stage.utc += 1000
    stage.control.tick()
    assert stage.told == [{"t": "anchor", "mono_ns": 100_000_000_000, "utc_ms": 1_700_000_000_000}]


def test_a_restarted_control_announces_the_same_call_and_opens_nothing_anew() -> None:
    first = Stage().up()
    second = Stage(first.store)
    ((call, record),) = second.control.journalled_calls()
    second.control.restore(call, record)
    hello, segment, _ = second.control.announcement()
    assert hello["boot"] == "id1"
    assert segment == first.state()
    assert {one["cmd"] for one in second.commands} == {"set"}
    second.up("new")
    opened = [one["leg"] for one in second.commands if one["cmd"] == "open"]
    assert min(opened) > 1000


@pytest.mark.parametrize("change", [{"sip": {}}, {"sip": {"route": 5}}, {"segment": {}}, {"sip": None}])
def test_a_record_that_cannot_be_used_is_refused(change: dict[str, Any]) -> None:
    first = Stage().up()
    ((call, record),) = first.control.journalled_calls()
    with pytest.raises(BridgeError):
        Stage().control.restore(call, {**record, **change})


def test_a_call_without_media_is_restored_and_foreign_records_are_empty() -> None:
    first = Stage().up()
    ((call, record),) = first.control.journalled_calls()
    second = Stage()
    second.control.restore(call, {**record, "media": None})
    assert second.state()["legs"] == []
    store = Store()
    Journal(store).put("call:x", 5)
    assert Stage(store).control.journalled_calls() == [("x", {})]


def test_registrations_are_kept() -> None:
    stage = Stage()
    stage.control.on_binding("t1", {"aor": "sip:201@pbx"}, 0.0)
    stage.control.on_binding("t2", {"aor": "sip:202@pbx"}, 0.0)
    stage.control.on_binding("t1", None, 0.0)
    assert Stage(stage.store).control.journalled_bindings() == [{"aor": "sip:202@pbx"}]


def test_a_new_block_of_legs_is_journalled_when_one_is_used_up() -> None:
    stage = Stage()
    stage.control.anchor.next_leg = 1001
    stage.start()
    assert Stage(stage.store).control.anchor.next_leg > 1002


def test_a_trunk_without_codecs_keeps_the_common_preference() -> None:
    trunks = [{"name": "pbx", "side": "pbx"}, SETTINGS["trunk"][1]]  # type: ignore[index]
    stage = Stage(trunk=trunks)
    stage.start()
    assert stage.state()["state"] == "ringing"
