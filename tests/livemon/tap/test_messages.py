from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livemon.tap import messages
from livemon.tap.messages import (
    Anchor,
    Announced,
    BadMessage,
    Dropped,
    GrantState,
    Hello,
    Ignored,
    Leg,
    Origin,
    Proof,
    Segment,
)

# The example of docs/link-protocol.md.
SEGMENT = {
    "t": "segment",
    "id": "a1",
    "interaction": "i1",
    "bridge": "b1",
    "trunk": "pbx",
    "placement": "station",
    "role": "primary",
    "direction": "inbound",
    "state": "talking",
    "hold_by": "",
    "state_since_ns": 0,
    "started_ns": 0,
    "answered_ns": None,
    "ended_ns": None,
    "cause": "",
    "call_ids": ["x", "y"],
    "identity": {"agent": ["sip:201@pbx", "201"], "queue": "", "customer": "+4930"},
    "legs": [
        {"leg": 7, "party": "agent", "codec": "PCMU", "clock": 8000, "held": False, "remote": True},
        {"leg": 8, "party": "customer", "codec": "PCMU", "clock": 8000, "held": False, "remote": True},
    ],
    "capabilities": ["listen", "measure", "whisper", "barge"],
    "refused": {},
}


def test_the_documented_segment_is_read() -> None:
    segment = messages.decode(json.dumps(SEGMENT))
    assert isinstance(segment, Segment)
    assert segment.legs == (Leg(7, "agent", "PCMU"), Leg(8, "customer", "PCMU"))
    assert segment.identity.agent == ("sip:201@pbx", "201")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"t": "hello", "version": 1, "bridge": "b1", "boot": "x", "mono_ns": 1, "utc_ms": 2, "new": 1}, Hello),
        ({"t": "announced"}, Announced),
        ({"t": "anchor", "mono_ns": 1, "utc_ms": 2}, Anchor),
        ({"t": "origin", "segment": "s", "leg": 1, "origin": "barge", "start_ns": 1, "end_ns": None}, Origin),
        ({"t": "proof", "segment": "", "leg": 1, "mismatches": 1, "at_ns": 1}, Proof),
        ({"t": "grant_state", "session": 1, "state": "open", "reason": ""}, GrantState),
        ({"t": "dropped", "frames": 3, "since_ns": 1}, Dropped),
        ({"t": "something_new"}, Ignored),
        ({}, BadMessage),
        ([], BadMessage),
        ({"t": "anchor", "mono_ns": -1, "utc_ms": 2}, BadMessage),
        ({**SEGMENT, "state": "dancing"}, BadMessage),
        ({**SEGMENT, "interaction": ""}, BadMessage),
        ({**SEGMENT, "legs": [{"leg": 2**32, "party": "agent"}]}, BadMessage),
    ],
)
def test_every_kind_is_read_or_refused(message: Any, kind: type) -> None:
    assert isinstance(messages.decode(json.dumps(message)), kind)


@settings(max_examples=50)
@given(st.text() | st.recursive(st.none() | st.text(), lambda x: st.dictionaries(st.text(), x)).map(json.dumps))
def test_any_text_gives_a_typed_refusal(text: str) -> None:
    assert isinstance(messages.decode(text), Ignored | BadMessage)


def test_deep_nesting_is_refused() -> None:
    assert isinstance(messages.decode('{"t":"announced","x":' + "[" * 100_000), BadMessage)


def test_what_the_node_says() -> None:
    assert json.loads(messages.welcome("node-0", None)) == {
        "t": "welcome",
        "version": 1,
        "node": "node-0",
        "resume_tick": None,
    }
    assert json.loads(messages.listen({8, 7}, True)) == {"t": "listen", "legs": [7, 8], "on": True}
    assert json.loads(messages.grant(1, "s", "whisper", 2, 2000)) == {
        "t": "grant",
        "session": 1,
        "segment": "s",
        "mode": "whisper",
        "counter": 2,
        "ttl_ms": 2000,
    }
    assert json.loads(messages.revoke(1)) == {"t": "revoke", "session": 1}
    assert json.loads(messages.gain(1, 0.0, -12.0)) == {"t": "gain", "session": 1, "whisper_db": 0.0, "duck_db": -12.0}
