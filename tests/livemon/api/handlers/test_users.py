from __future__ import annotations

from pathlib import Path

from livemon.bus.messages import Agent, Directory, Team
from tests.web_site import PASSWORD, Site, site

NEW = {"login": "Nora", "name": "Nora", "role": "supervisor", "teams": ["blue"], "password": PASSWORD}


async def test_an_admin_creates_a_user_who_can_sign_in(made: Site) -> None:
    admin = await made.signed_in("admin")
    answer = await admin.post("/api/users", json=NEW)
    assert answer.status_code == 201 and answer.json()["login"] == "nora" and "password_hash" not in answer.text
    assert (await admin.post("/api/users", json=NEW)).status_code == 409
    assert (await (await made.signed_in("nora")).get("/api/me")).json()["teams"] == ["blue"]
    listed = (await admin.get("/api/users")).json()["users"]
    assert {user["login"] for user in listed} >= {"admin", "nora"} and all(user["password"] for user in listed)
    assert (await made.entries("user.created"))[0]["login"] == "nora"


async def test_a_wrong_body_is_named(made: Site) -> None:
    admin = await made.signed_in("admin")
    for change in ({"role": "root"}, {"login": ""}, {"extra": 1}, {"teams": [7]}):
        answer = await admin.post("/api/users", json=NEW | change)
        assert (answer.status_code, answer.json()["error"]["id"]) == (422, "bad_body")


async def test_a_new_password_ends_what_was_opened_with_the_old_one(made: Site) -> None:
    admin, sue = await made.signed_in("admin"), await made.signed_in("sue")
    answer = await admin.patch("/api/users/user-sue", json={"password": "another long one"})
    assert answer.status_code == 200
    assert (await sue.get("/api/me")).status_code == 401
    login = {"login": "sue", "password": PASSWORD}
    assert (await made.client().post("/api/login", json=login)).status_code == 401
    assert (await made.client().post("/api/login", json=login | {"password": "another long one"})).status_code == 200
    assert "another" not in str(await made.entries("user.changed"))


async def test_a_changed_role_holds_from_the_next_request(made: Site) -> None:
    admin, sue = await made.signed_in("admin"), await made.signed_in("sue")
    await admin.patch("/api/users/user-sue", json={"role": "wallboard", "teams": ["red"]})
    me = (await sue.get("/api/me")).json()
    assert (me["role"], me["teams"]) == ("wallboard", ["red"])
    assert (await sue.post("/api/calls/c2/listen", json={"transport": "websocket"})).status_code == 403


async def test_nobody_takes_the_own_rights_away(made: Site) -> None:
    admin = await made.signed_in("admin")
    for change in ({"disabled": True}, {"role": "qa"}):
        assert (await admin.patch("/api/users/user-admin", json=change)).json()["error"]["id"] == "own_rights"
    assert (await admin.patch("/api/users/nobody", json={"name": "x"})).status_code == 404


async def test_agents_are_listed_by_scope(tmp_path: Path) -> None:
    directory = Directory(
        1,
        (
            Agent("a1", "Anna", "201", "blue", ("support",), ("201",)),
            Agent("a2", "Bert", "202", "red", ("sales",), ("202",)),
            Agent("a3", "Cleo", "203", ""),
        ),
        (Team("blue", "Blue"), Team("red", "Red")),
        (),
    )
    async with site(tmp_path, directory=directory) as made:
        seen = {}
        for login in ("admin", "sue", "clive"):
            body = (await (await made.signed_in(login)).get("/api/agents")).json()
            seen[login] = ([agent["id"] for agent in body["agents"]], [team["id"] for team in body["teams"]])
    assert seen == {
        "admin": (["a1", "a2", "a3"], ["blue", "red"]),
        "sue": (["a1"], ["blue"]),
        "clive": (["a2"], ["red"]),
    }
