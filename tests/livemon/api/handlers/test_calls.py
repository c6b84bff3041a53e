from __future__ import annotations

import pytest

from livemon.bus.messages import ListenMode, ListenOpen, SessionState
from tests.live_calls import call
from tests.web_site import Site, until

OFFER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"
SDP = {"content-type": "application/sdp"}


async def test_everybody_sees_the_calls_of_the_own_scope(made: Site) -> None:
    seen = {}
    for login in ("admin", "sue", "ruth", "wall", "clive"):
        answer = await (await made.signed_in(login)).get("/api/calls")
        seen[login] = [view["id"] for view in answer.json()["calls"]]
    assert seen == {"admin": ["c1", "c2"], "sue": ["c1"], "ruth": ["c2"], "wall": ["c1", "c2"], "clive": ["c1"]}


async def test_an_offer_is_answered_as_whep_does(made: Site) -> None:
    client = await made.signed_in("sue")
    answer = await client.post("/api/calls/c1/listen", content=OFFER, headers=SDP)
    assert (answer.status_code, answer.text) == (201, "v=0 answer")
    assert answer.headers["content-type"] == "application/sdp"
    assert answer.headers["location"] == "/api/sessions/s-c1-user-sue"
    assert answer.headers["x-livemon-session"] == "s-c1-user-sue"
    method, opened = made.node.asked[-1]
    assert method == "listen.open" and isinstance(opened, ListenOpen)
    assert (opened.call, opened.sdp, opened.remote, opened.principal.user_id) == (
        "c1",
        OFFER,
        "127.0.0.1",
        "user-sue",
    )


async def test_the_fallback_comes_with_its_url_and_ticket(made: Site) -> None:
    client = await made.signed_in("sue")
    answer = await client.post("/api/calls/c1/listen", json={"sdp": "", "transport": "websocket", "reason": "review"})
    assert answer.status_code == 201
    assert answer.json() == {
        "session": "s-c1-user-sue",
        "sdp": "",
        "fallback_url": "ws://127.0.0.1:1/audio",
        "fallback_ticket": "ticket",
    }
    assert made.node.asked[-1][1].reason == "review"


async def test_a_call_outside_the_scope_is_not_there_and_the_attempt_is_recorded(made: Site) -> None:
    client = await made.signed_in("sue")
    hidden = await client.post("/api/calls/c2/listen", content=OFFER, headers=SDP)
    missing = await client.post("/api/calls/c9/listen", content=OFFER, headers=SDP)
    assert hidden.status_code == missing.status_code == 404 and hidden.content == missing.content
    assert not made.node.asked
    denied = (await made.entries("denied"))[-1]
    assert (denied["call"], denied["agent"], denied["reason"], denied["user"]) == (
        "c2",
        "a2",
        "not_in_scope",
        "user-sue",
    )


async def test_no_offer_and_no_fallback_is_an_error(made: Site) -> None:
    client = await made.signed_in("sue")
    assert (await client.post("/api/calls/c1/listen", json={})).json()["error"]["id"] == "bad_sdp"


@pytest.mark.parametrize(
    ("refusal", "status"), [("audit_unavailable", 503), ("no_right", 403), ("agent_holds", 409), ("no_such_call", 404)]
)
async def test_a_refusal_of_the_node_keeps_its_id(made: Site, refusal: str, status: int) -> None:
    made.node.refuse = refusal
    answer = await (await made.signed_in("sue")).post("/api/calls/c1/listen", content=OFFER, headers=SDP)
    assert (answer.status_code, answer.json()["error"]["id"]) == (status, refusal)


async def test_a_node_that_left_the_bus_is_told_as_such(made: Site) -> None:
    await made.node.bus.close()
    answer = await (await made.signed_in("sue")).post("/api/calls/c1/listen", content=OFFER, headers=SDP)
    assert answer.status_code == 503


async def test_modes_hops_restarts_and_the_end_go_to_the_node_of_the_session(made: Site) -> None:
    client = await made.signed_in("admin")
    session = (await client.post("/api/calls/c1/listen", content=OFFER, headers=SDP)).headers["location"]
    answer = await client.post(f"{session}/mode", json={"mode": "whisper"})
    assert answer.json()["mode"] == "whisper"
    assert isinstance(made.node.asked[-1][1], ListenMode) and made.node.asked[-1][1].lease_ms is None
    assert (await client.post(f"{session}/hop", json={"call": "c2"})).json()["call"] == "c2"
    again = await client.patch(session, content=OFFER, headers=SDP)
    assert (again.status_code, again.text) == (200, "v=0 again")
    assert (await client.patch(session, json={"sdp": OFFER})).json()["sdp"] == "v=0 again"
    assert (await client.delete(session)).status_code == 204
    # The browser's goodbye may have been faster.
    assert (await client.delete(session)).status_code == 204


async def test_a_session_belongs_to_its_opener(made: Site) -> None:
    session = (await (await made.signed_in("sue")).post("/api/calls/c1/listen", content=OFFER, headers=SDP)).headers[
        "location"
    ]
    other = await made.signed_in("admin")
    assert (await other.post(f"{session}/mode", json={"mode": "listen"})).status_code == 404
    assert (await other.delete(session)).status_code == 404
    listed = (await other.get("/api/sessions")).json()["sessions"]
    assert [one["user_id"] for one in listed] == ["user-sue"]
    assert (await (await made.signed_in("ruth")).get("/api/sessions")).json()["sessions"] == []


async def test_whispering_needs_its_own_right(made: Site) -> None:
    client = await made.signed_in("quinn")
    session = (await client.post("/api/calls/c1/listen", content=OFFER, headers=SDP)).headers["location"]
    answer = await client.post(f"{session}/mode", json={"mode": "whisper"})
    assert (answer.status_code, answer.json()["error"]["id"]) == (403, "no_right")


async def test_a_call_on_another_node_needs_a_new_session(made: Site) -> None:
    client = await made.signed_in("admin")
    session = (await client.post("/api/calls/c1/listen", content=OFFER, headers=SDP)).headers["location"]
    made.node.publish(calls=(call("c3", node="node-9"),))
    await until(lambda: "c3" in made.web.feed.world.calls)
    assert (await client.post(f"{session}/hop", json={"call": "c3"})).json()["error"]["id"] == "other_node"


async def test_a_closed_session_is_forgotten(made: Site) -> None:
    client = await made.signed_in("sue")
    await client.post("/api/calls/c1/listen", content=OFFER, headers=SDP)
    made.node.session(SessionState("s-c1-user-sue", "user-sue", "c1", "listen", "closed"))
    await until(lambda: not made.web.feed.sessions)
    assert (await client.get("/api/sessions")).json()["sessions"] == []
