from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from livemon.api.app import build
from livemon.api.passwords import Passwords
from livemon.api.route import Ask, Reply, Route
from livemon.api.settings import EnterLink, WebSettings
from livemon.bus.memory import MemoryHub
from livemon.bus.messages import Agent, Directory
from livemon.errors import ConfigError
from tests.live_calls import call
from tests.web_site import FAST, Site, site, until


class Heard(msgspec.Struct, frozen=True):
    """What an extra route of these tests answers."""

    dbfs: float


async def heard(ask: Ask) -> Reply:
    return Reply(Heard(-20.0))


async def broken(ask: Ask) -> Reply:
    raise KeyError("secret detail")


async def test_extra_routes_pass_the_same_gate_and_are_described(tmp_path: Path) -> None:
    extra = [Route("/demo/heard", "GET", heard, None, Heard, "view", summary="What phones hear")]
    async with site(tmp_path, extra) as made:
        assert (await made.client().get("/demo/heard")).status_code == 401
        assert (await (await made.signed_in("sue")).get("/demo/heard")).json() == {"dbfs": -20.0}
        assert "/demo/heard" in (await made.client().get("/api/openapi.json")).json()["paths"]


async def test_an_error_of_ours_is_a_500_that_tells_nothing(tmp_path: Path) -> None:
    async with site(tmp_path, [Route("/broken", "GET", broken, None, None, "public")]) as made:
        made.client()
        import httpx

        transport = httpx.ASGITransport(made.app.asgi, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.get("/broken")
    assert (answer.status_code, answer.json()["error"]["id"]) == (500, "internal") and "secret" not in answer.text


async def test_the_directory_is_published_for_nodes_that_come_later(tmp_path: Path) -> None:
    wanted = Directory(1, (Agent("a1", "Anna", "201", "", (), ("201",)),), (), ())
    async with site(tmp_path, directory=wanted) as made:
        late = made.hub.connect("node-late")
        message = await late.subscribe("directory").get()
        assert msgspec.msgpack.decode(message.body, type=Directory).agents == wanted.agents
    async with site(tmp_path) as made:
        assert (await made.web.directory.load(1)).agents == wanted.agents


async def test_ended_calls_go_to_the_history(made: Site) -> None:
    made.node.publish(gone=("c1",))
    await until(lambda: "c1" not in made.web.feed.world.calls)
    import asyncio

    async with asyncio.timeout(5):
        while not (past := await made.web.history.newest(5)):
            await asyncio.sleep(0.02)
    assert (past[0].id, past[0].end_cause) == ("c1", "hung_up")


async def test_a_restarted_process_knows_who_was_signed_in_and_asks_for_the_calls(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        client = await made.signed_in("sue")
    async with site(tmp_path) as made:
        again = made.client()
        again.cookies.update(client.cookies)
        made.node.publish(calls=(call("c3"),))
        await until(lambda: "c3" in made.web.feed.world.calls)
        assert (await again.get("/api/me")).json()["name"] == "Sue"


async def test_a_link_for_nobody_stops_the_start(tmp_path: Path) -> None:
    settings = WebSettings(tmp_path, links=(EnterLink("token", "nobody", "/"),))
    app = build(settings, MemoryHub().connect("web"), passwords=Passwords(FAST))
    with pytest.raises(ConfigError, match=r"\[\[user\]\] login = 'nobody'"):
        await app.open()
    await app.close()


async def test_the_lifespan_opens_and_closes(tmp_path: Path) -> None:
    app = build(WebSettings(tmp_path), MemoryHub().connect("web"), passwords=Passwords(FAST))
    async with app.asgi.router.lifespan_context(app.asgi):
        assert await app.web.store.ready()
