from __future__ import annotations

import pytest

from livemon.bus.messages import ListenClose, SessionState
from livemon.errors import Refused
from tests.live_calls import SUPERVISOR
from tests.web_site import Site


@pytest.mark.parametrize(
    ("node", "refusal", "expected"),
    [
        ("node-0", "no_such_session", ("no_such_session", 404)),
        ("node-0", "something_new", ("something_new", 409)),
        ("node-9", "", ("no_such_target", 503)),
    ],
)
async def test_a_nodes_refusal_becomes_a_status(made: Site, node: str, refusal: str, expected: tuple[str, int]) -> None:
    made.node.refuse = refusal
    with pytest.raises(Refused) as refused:
        await made.web.ask(node, "listen.close", ListenClose(SUPERVISOR, "s"), SessionState)
    assert (refused.value.id, refused.value.status) == expected


async def test_a_bus_that_is_away_and_a_node_that_is_silent_are_told_apart(
    made: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    async def silent(method: str, body: bytes) -> bytes:
        await asyncio.sleep(60)
        return b""

    made.node.bus.serve("node.node-0", silent)
    wish = ListenClose(SUPERVISOR, "s")
    with pytest.raises(Refused) as refused:
        await made.web.ask("node-0", "listen.close", wish, SessionState, timeout=0.05)
    assert (refused.value.id, refused.value.status) == ("node_silent", 504)
    await made.web.bus.close()
    with pytest.raises(Refused) as refused:
        await made.web.ask("node-0", "listen.close", wish, SessionState, timeout=0.05)
    assert (refused.value.id, refused.value.status) == ("bus_away", 503)


async def test_a_record_reaches_the_database_by_itself(made: Site) -> None:
    import asyncio

    await made.web.record("note", {"user": "u1"})
    seq = made.web.journal.head.seq
    async with asyncio.timeout(5):
        while (await made.web.trail.head("web")).seq < seq:
            await asyncio.sleep(0.005)
