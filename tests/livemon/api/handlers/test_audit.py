from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.web_site import Site


async def filled(made: Site) -> None:
    for number in range(6):
        team = "blue" if number % 2 else "red"
        made.node.journal.append(
            "listen.start", {"user": "user-ruth", "call": f"c{number}", "agent": "a", "team": team}
        )
    made.web.importer.behind("node-0")
    async with asyncio.timeout(5):
        while (await made.web.trail.head("node-0")).seq != 6:
            await asyncio.sleep(0.005)


async def calls(client: httpx.AsyncClient, query: str) -> list[str]:
    body = (await client.get(f"/api/audit?kind=listen.start&{query}")).json()
    return [entry["fields"]["call"] for entry in body["entries"]]


async def test_pages_and_filters(made: Site) -> None:
    await filled(made)
    admin = await made.signed_in("admin")
    first = (await admin.get("/api/audit?kind=listen.start&limit=4")).json()
    rest = (await admin.get(f"/api/audit?kind=listen.start&limit=4&before={first['next']}")).json()
    numbers = [entry["seq"] for entry in (*first["entries"], *rest["entries"])]
    assert numbers == [6, 5, 4, 3, 2, 1] and rest["next"] == ""
    assert await calls(admin, "call=c3") == ["c3"] and await calls(admin, "user=user-sue") == []
    assert await calls(admin, "from_ms=99999999999999") == [] == await calls(admin, "to_ms=1")
    assert len(await calls(admin, "agent=a")) == 6
    assert len(first["entries"][0]["hash"]) == 64


async def test_entries_come_with_names_and_are_found_by_name(made: Site) -> None:
    await filled(made)
    admin = await made.signed_in("admin")
    ruth = await made.web.users.by_login("ruth")
    assert ruth is not None
    entry = (await admin.get("/api/audit?kind=listen.&limit=1")).json()["entries"][0]
    assert entry["user_name"] == ruth.name and (entry["agent_name"], entry["queue_name"]) == ("", "")
    for text in ("ruth", "RUTH", ruth.name[1:].upper(), "user-ruth"):
        assert len(await calls(admin, f"user={text}")) == 6


async def test_a_supervisor_reads_the_own_team_and_the_own_acts(made: Site) -> None:
    await filled(made)
    assert await calls(await made.signed_in("sue"), "") == ["c5", "c3", "c1"]
    assert len(await calls(await made.signed_in("ruth"), "")) == 6


@pytest.mark.parametrize("query", ["from_ms=x", "limit=-1", "before=1", "before=a:b:c", "to_ms=1e9", "limit=٣"])
async def test_a_query_that_makes_no_sense_is_refused(made: Site, query: str) -> None:
    answer = await (await made.signed_in("admin")).get(f"/api/audit?{query}")
    assert (answer.status_code, answer.json()["error"]["id"]) == (422, "bad_query")


async def test_verifying_covers_the_database_and_the_journals_and_is_itself_recorded(made: Site) -> None:
    await filled(made)
    body = (await (await made.signed_in("admin")).get("/api/audit/verify")).json()
    assert body["ok"] and {writer["writer"]: writer["entries"] for writer in body["writers"]}["node-0"] == 6
    assert (await made.entries("audit.verified"))[0]["ok"] is True
