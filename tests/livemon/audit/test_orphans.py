from __future__ import annotations

from typing import Any

from livemon.audit.entry import GENESIS, Head, compose
from livemon.audit.orphans import Orphans

WHO = {"user": "u1", "call": "c1", "remote": "192.0.2.7", "reason": "coaching"}


def lines(*entries: tuple[str, dict[str, Any]]) -> list[bytes]:
    head, out = Head(0, GENESIS), []
    for kind, fields in entries:
        entry = compose("node-0", head, 1, kind, fields)
        head = entry.head
        out.append(entry.line)
    return out


def left(*entries: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    orphans = Orphans()
    orphans.feed(lines(*entries))
    return dict(orphans.left)


def test_a_session_without_an_end_is_left() -> None:
    found = left(("listen.start", {"session": "a", **WHO}), ("listen.start", {"session": "b", **WHO}))
    assert found["a"] == {"session": "a", "user": "u1", "call": "c1", "remote": "192.0.2.7", "mode": "listen"}
    assert set(found) == {"a", "b"}


def test_ends_of_both_kinds_count() -> None:
    begun = [("listen.start", {"session": name, **WHO}) for name in "ab"]
    assert left(*begun, ("listen.stop", {"session": "a"}), ("listen.lost", {"session": "b"})) == {}


def test_a_hop_begins_anew_and_a_mode_is_remembered() -> None:
    begun, ended = ("listen.start", {"session": "a", **WHO}), ("listen.stop", {"session": "a"})
    found = left(begun, ended, ("listen.hop", {"session": "a", "call": "c2"}))
    assert found["a"] == {"session": "a", "call": "c2", "mode": "listen"}
    found = left(begun, ("listen.mode", {"session": "a", "mode": "whisper"}))
    assert (found["a"]["call"], found["a"]["mode"]) == ("c1", "whisper")


def test_what_tells_of_no_session_is_passed_over() -> None:
    strange = [
        ("call.origin", {"session": "a"}),
        ("listen.denied", {"user": "u1"}),
        ("listen.denied", {"session": "a"}),
        ("listen.mode", {"session": "a", "mode": "whisper"}),
    ]
    assert left(*strange) == {}
    orphans = Orphans()
    orphans.feed([b'{"kind":"listen.start","fields":{"session":"a"}}'])
    assert orphans.left == {}
