from __future__ import annotations

from dataclasses import replace

from livemon.store.engine import Store
from livemon.store.interactions import History
from livemon.store.records import PastCall

CALL = PastCall(
    "i1", ("s1", "s2"), "node-0", "b1", "pbx", "inbound", "a1", "blue", "sales", "+49", 100, 110, 200, "hung_up"
)


async def test_an_ended_call_is_kept_once(store: Store) -> None:
    history = History(store)
    assert await history.add([CALL, CALL]) == 1
    assert await history.add([CALL]) == 0 == await history.add([])
    assert await history.newest(10) == [CALL]


async def test_the_newest_come_first(store: Store) -> None:
    history = History(store)
    later = replace(CALL, id="i2", started_at_ms=150, answered_at_ms=None, end_cause="not_answered")
    await history.add([CALL, later])
    assert await history.newest(1) == [later]
