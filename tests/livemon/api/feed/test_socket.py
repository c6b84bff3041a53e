from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from livemon.api.feed import socket as feed_socket
from livemon.bus.messages import SessionState
from tests.live_calls import alert, call, figures
from tests.web_site import Site, until

PROTOCOL = [Subprotocol("livemon-feed.1")]


def feed(live: Site, origin: str | None = "", **options: Any) -> connect:
    own = f"http://127.0.0.1:{live.port}"
    return connect(
        f"ws://127.0.0.1:{live.port}/api/feed",
        subprotocols=PROTOCOL,
        additional_headers=() if origin is None else {"Origin": origin or own},
        compression=None,
        **options,
    )


async def receive(page: ClientConnection, kind: str = "") -> dict[str, Any]:
    async with asyncio.timeout(5):
        while True:
            message: dict[str, Any] = json.loads(await page.recv())
            if not kind or message["type"] == kind:
                return message


async def send(page: ClientConnection, **message: Any) -> None:
    await page.send(json.dumps(message))


async def closed(page: ClientConnection) -> tuple[int, str]:
    try:
        async with asyncio.timeout(5):
            while True:
                await page.recv()
    except ConnectionClosed as end:
        assert end.rcvd is not None
        return end.rcvd.code, end.rcvd.reason


async def test_a_page_gets_a_snapshot_then_numbered_deltas(live: Site) -> None:
    async with feed(live) as page:
        await send(page, type="ticket", ticket=await live.ticket("sue"))
        first = await receive(page)
        assert (first["type"], first["n"]) == ("snapshot", 1)
        assert first["me"]["role"] == "supervisor" and [view["id"] for view in first["calls"]] == ["c1"]
        live.node.publish(calls=(call("c7"),), figures=(figures("c7", silence_ms=900),))
        delta, number = first, 1
        while "c7" not in [view["id"] for view in delta.get("calls", ())]:
            delta, number = await receive(page, "delta"), number + 1
        assert delta["n"] == number
        assert [delta["calls"][-1]["index"], 900] in [row[:2] for row in delta["figures"]]


async def test_an_alert_does_not_wait_for_the_next_second(live: Site) -> None:
    async with feed(live) as page:
        await send(page, type="ticket", ticket=await live.ticket("sue"))
        await receive(page)
        loop = asyncio.get_running_loop()
        waits = []
        for number in range(5):
            before = loop.time()
            live.node.publish(alerts=(alert(f"x{number}"),))
            while not (await receive(page, "delta")).get("alerts"):
                pass
            waits.append(loop.time() - before)
        assert max(waits) < 0.5  # a whole second would be the delta's own pace


async def test_a_resync_brings_a_new_snapshot(live: Site) -> None:
    async with feed(live) as page:
        await send(page, type="ticket", ticket=await live.ticket("sue"))
        assert (await receive(page))["n"] == 1
        await send(page, type="resync")
        assert (await receive(page, "snapshot"))["n"] > 1
        await send(page, type="ping")
        assert "now_ms" in await receive(page, "pong")


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null"])
async def test_a_foreign_origin_is_refused(live: Site, origin: str | None) -> None:
    async with feed(live, origin) as page:
        assert await closed(page) == (1008, "wrong_origin")


async def test_a_ticket_is_good_for_one_page(live: Site) -> None:
    ticket = await live.ticket("sue")
    async with feed(live) as first, feed(live) as second:
        await send(first, type="ticket", ticket=ticket)
        assert (await receive(first))["type"] == "snapshot"
        await send(second, type="ticket", ticket=ticket)
        assert await closed(second) == (1008, "bad_ticket")


async def test_a_page_that_sends_no_ticket_is_closed(live: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_socket, "TICKET_WITHIN", 0.05)
    async with feed(live) as page:
        assert await closed(page) == (1008, "no_ticket")


@pytest.mark.parametrize("message", ["nonsense", '{"type":"other"}', '{"type":"ticket","ticket":"again"}', b"\x00"])
async def test_a_message_nobody_knows_ends_the_connection(live: Site, message: str | bytes) -> None:
    async with feed(live) as page:
        await send(page, type="ticket", ticket=await live.ticket("sue"))
        await receive(page)
        await page.send(message)
        assert await closed(page) == (1008, "bad_message")


async def test_a_frame_that_is_too_large_ends_the_connection(live: Site) -> None:
    async with feed(live) as page:
        await page.send("x" * 70_000)
        assert (await closed(page))[0] == 1009


async def test_too_many_messages_end_the_connection(live: Site) -> None:
    async with feed(live) as page:
        await send(page, type="ticket", ticket=await live.ticket("sue"))
        for _ in range(feed_socket.MESSAGES_A_MINUTE + 1):
            await send(page, type="ping")
        assert await closed(page) == (1008, "too_many_messages")


async def test_an_agent_has_no_feed(live: Site) -> None:
    async with feed(live) as page:
        await send(page, type="ticket", ticket=await live.ticket("anna"))
        assert await closed(page) == (1008, "no_right")


async def test_another_subprotocol_is_refused(live: Site) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{live.port}/api/feed"):
            pass
    assert refused.value.response.status_code == 403


async def test_a_key_speaks_for_a_short_lease_and_its_release_listens(live: Site) -> None:
    live.web.feed.session_opened("s1", "node-0", "user-sue", "c1", True)
    async with feed(live) as page:
        await send(page, type="ticket", ticket=await live.ticket("sue"))
        await receive(page)
        await send(page, type="key", session="s1", mode="whisper")
        await send(page, type="key", session="s1", mode="listen")
        await until(lambda: len(live.node.asked) == 2)
    wishes = [(wish.mode, wish.lease_ms) for _, wish in live.node.asked]
    assert wishes == [("whisper", 1500), ("listen", None)]


async def test_a_key_without_the_right_or_refused_by_the_node_is_answered(live: Site) -> None:
    live.web.feed.session_opened("s1", "node-0", "user-quinn", "c1", True)
    live.web.feed.session_opened("s2", "node-0", "user-sue", "c1", True)
    async with feed(live) as quinn, feed(live) as sue:
        await send(quinn, type="ticket", ticket=await live.ticket("quinn"))
        await send(quinn, type="key", session="s2", mode="whisper")
        await send(quinn, type="key", session="s1", mode="whisper")
        assert (await receive(quinn, "session"))["refused"] == "no_right"
        live.node.refuse = "agent_holds"
        await send(sue, type="ticket", ticket=await live.ticket("sue"))
        await send(sue, type="key", session="s2", mode="whisper")
        answer = await receive(sue, "session")
        assert (answer["session"], answer["refused"], answer["mode"]) == ("s2", "agent_holds", "listen")
    assert not live.node.asked


async def test_session_states_go_to_their_owner_alone(live: Site) -> None:
    async with feed(live) as sue, feed(live) as admin:
        for page, login in ((sue, "sue"), (admin, "admin")):
            await send(page, type="ticket", ticket=await live.ticket(login))
            await receive(page)
        live.node.session(SessionState("s1", "user-sue", "c1", "whisper", "connected", whisper_dbfs=-20.5))
        state = await receive(sue, "session")
        assert (state["mode"], state["whisper_dbfs"]) == ("whisper", -20.5) and "user_id" not in state
        await send(admin, type="ping")
        assert (await receive(admin))["type"] in ("pong", "delta")


async def test_signing_out_ends_the_page_within_a_second(live: Site) -> None:
    client = await live.signed_in("sue")
    ticket = (await client.post("/api/ticket")).json()["ticket"]
    async with feed(live) as page, feed(live) as other:
        await send(page, type="ticket", ticket=ticket)
        await send(other, type="ticket", ticket=await live.ticket("sue"))
        await receive(page)
        await receive(other)
        before = asyncio.get_running_loop().time()
        await client.post("/api/logout")
        assert (await receive(page, "bye"))["reason"] == "signed_out"
        assert await closed(page) == (1008, "signed_out")
        assert asyncio.get_running_loop().time() - before < 1
        await send(other, type="ping")
        await receive(other, "pong")


async def test_a_changed_scope_shows_other_calls_within_a_second(live: Site) -> None:
    admin = await live.signed_in("admin")
    async with feed(live) as page:
        await send(page, type="ticket", ticket=await live.ticket("sue"))
        assert [view["id"] for view in (await receive(page))["calls"]] == ["c1"]
        before = asyncio.get_running_loop().time()
        await admin.patch("/api/users/user-sue", json={"teams": ["red"]})
        assert [view["id"] for view in (await receive(page, "snapshot"))["calls"]] == ["c2"]
        assert asyncio.get_running_loop().time() - before < 1
        await admin.patch("/api/users/user-sue", json={"disabled": True})
        assert await closed(page) == (1008, "signed_out")
    change = msgspec.msgpack.decode((await live.node.changes.get()).body)
    assert change["principal"]["teams"] == ["red"]


async def test_bad_tickets_are_refused_before_the_handshake_but_not_who_is_signed_in(live: Site) -> None:
    for _ in range(feed_socket.BAD_TICKETS):
        async with feed(live) as page:
            await send(page, type="ticket", ticket="guess")
            assert await closed(page) == (1008, "bad_ticket")
    with pytest.raises(InvalidStatus):
        async with feed(live):
            pass
    client = await live.signed_in("sue")
    ticket = (await client.post("/api/ticket")).json()["ticket"]
    own = f"http://127.0.0.1:{live.port}"
    headers = {"Origin": own, "Cookie": f"livemon={client.cookies['livemon']}"}
    async with connect(
        f"ws://127.0.0.1:{live.port}/api/feed", subprotocols=PROTOCOL, additional_headers=headers
    ) as page:
        await send(page, type="ticket", ticket=ticket)
        assert (await receive(page))["type"] == "snapshot"
