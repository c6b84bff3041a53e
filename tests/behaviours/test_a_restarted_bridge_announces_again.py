"""A bridge whose control process was restarted announces its calls again, and they are the same calls.

Interaction ids are minted by the bridge and survive its restart, so a re-announced segment updates the call that is
on the boards. What the bridge does not name again has ended while it was away.
"""

from __future__ import annotations

from collections.abc import Mapping

from livemon.bus.messages import Directory, NodeUpdate
from livemon.node.ports import Fact
from livemon.node.switchboard import Switchboard
from livemon.tap.messages import Announced, Hello
from tests.segments import TALKING, for_agent, segment


class Silent:
    def send(self, message: str | bytes) -> None:
        """Nobody reads it."""

    def note(self, kind: str, fields: Mapping[str, Fact]) -> None:
        """Nobody reads it."""


def hello(boot: str) -> Hello:
    return Hello(1, "b1", boot, 10_000_000_000, 1_700_000_000_000)


def test_reannouncement() -> None:
    board = Switchboard("node-0", Directory(0, (), (), ()), Silent())
    first, second = Silent(), Silent()
    board.attached(first, hello("one"), 10_000_000, 1)
    for one in (TALKING, segment(id="s2", interaction="i2", identity=for_agent("202"), legs=())):
        board.message("b1", one, 10_000_000, 1)
    before = {view.id: view for view in board.snapshot(1).calls}
    assert set(before) == {"i1", "i2"}

    board.detached("b1", first, 11_000_000, 1)
    assert board.snapshot(1).calls[0].refused["listen"] == "bridge_away"
    board.attached(second, hello("two"), 12_000_000, 1)
    board.message("b1", TALKING, 12_000_000, 1)
    board.message("b1", Announced(), 12_000_000, 1)

    update: NodeUpdate = board.snapshot(1)
    after = {view.id: view for view in update.calls}
    assert after["i1"] == before["i1"]
    assert after["i2"].state == "ended"
    board.judge(12_000_000 + 5_000_000, 1)
    assert [view.id for view in board.snapshot(1).calls] == ["i1"]
