import json
from typing import Any

import pytest

from sip_bridge.b2bua.snapshot import dump_call, restore_call
from tests.sip_stage import Stage


def dumped() -> dict[str, Any]:
    stage = Stage()
    stage.talk()
    dump = stage.b2bua.dump(stage.key)
    assert dump is not None
    return dump


def test_a_call_survives_json() -> None:
    dump = dumped()
    call = restore_call(json.loads(json.dumps(dump)))
    assert call is not None
    assert dump_call(call) == dump


def test_a_call_that_rings_has_no_dump() -> None:
    stage = Stage()
    stage.ring()
    assert dump_call(stage.b2bua.calls[stage.key]) is None


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"caller": {}}, {"callee": {}}, {"route": []}, {"source": 1}, {"refer_ids": [["x", 1, 2]]}],
)
def test_a_damaged_dump_is_refused(change: dict[str, Any]) -> None:
    assert restore_call({**dumped(), **change}) is None
    assert restore_call({}) is None
