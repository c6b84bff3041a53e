from __future__ import annotations

from pathlib import Path

import httpx
import msgspec
import pytest

from livemon.api.settings import EnterLink
from livemon.bus.messages import PrincipalChanged
from tests.web_site import PASSWORD, Site, site


async def test_signing_in_sets_a_cookie_no_script_can_read(made: Site) -> None:
    client = made.client()
    answer = await client.post("/api/login", json={"login": "Sue", "password": PASSWORD})
    assert answer.json()["role"] == "supervisor" and "listen" in answer.json()["rights"]
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Secure" not in cookie
    assert len(client.cookies["livemon"]) >= 43  # 256 bits in base 64
    assert (await client.get("/api/me")).json()["name"] == "Sue"
    assert (await made.entries("login"))[-1] == {
        "user": "user-sue",
        "name": "Sue",
        "remote": "127.0.0.1",
        "how": "password",
    }


async def test_over_tls_the_cookie_is_secure_and_bound_to_the_host(tmp_path: Path) -> None:
    async with site(tmp_path, behind_tls=True) as made:
        answer = await made.client(headers={"origin": "https://localhost"}).post(
            "/api/login", json={"login": "sue", "password": PASSWORD}
        )
        assert answer.headers["set-cookie"].startswith("__Host-livemon=")
        assert answer.headers["set-cookie"].endswith("; Secure")
        assert "strict-transport-security" in answer.headers


@pytest.mark.parametrize("login", ["sue", "nobody at all"])
async def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(made: Site, login: str) -> None:
    answer = await made.client().post("/api/login", json={"login": login, "password": "wrong"})
    assert (answer.status_code, answer.json()["error"]["id"]) == (401, "wrong_login")
    assert (await made.entries("login.failed"))[-1]["login"] == login


async def test_signing_out_ends_the_session_and_tells_the_nodes(made: Site) -> None:
    client = await made.signed_in("sue")
    secret = client.cookies["livemon"]
    answer = await client.post("/api/logout")
    assert answer.status_code == 204 and "Max-Age=0" in answer.headers["set-cookie"]
    client.cookies.set("livemon", secret)
    assert (await client.get("/api/me")).status_code == 401
    change = msgspec.msgpack.decode((await made.node.changes.get()).body, type=PrincipalChanged)
    assert change == PrincipalChanged("user-sue", None)
    assert (await made.kinds())[-1] == "logout"


async def test_the_first_admin_needs_the_printed_token_and_is_made_once(tmp_path: Path) -> None:
    async with site(tmp_path, users=()) as made:
        file = tmp_path / "setup-token"
        assert file.stat().st_mode & 0o777 == 0o600
        body = {"token": "wrong", "login": "root", "name": "Root", "password": PASSWORD}
        client = made.client()
        assert (await client.post("/api/setup", json=body)).json()["error"]["id"] == "wrong_token"
        body["token"] = file.read_text().strip()
        short = await client.post("/api/setup", json=body | {"password": "short"})
        assert short.json()["error"]["id"] == "weak_password"
        assert (await client.post("/api/setup", json=body)).status_code == 201
        assert not file.exists()
        assert (await client.post("/api/setup", json=body)).json()["error"]["id"] == "set_up"
        assert (await client.post("/api/login", json={"login": "root", "password": PASSWORD})).json()["role"] == "admin"
        assert "user.setup" in await made.kinds()


async def test_the_setup_token_survives_a_restart(tmp_path: Path) -> None:
    async with site(tmp_path, users=()) as made:
        first = made.web.setup_token
    async with site(tmp_path, users=()) as made:
        assert made.web.setup_token == first


async def test_there_is_no_setup_while_somebody_can_sign_in(made: Site) -> None:
    assert made.web.setup_token == ""
    body = {"token": "", "login": "root", "name": "Root", "password": PASSWORD}
    assert (await made.client().post("/api/setup", json=body)).json()["error"]["id"] == "set_up"


async def test_an_enter_link_signs_in_once(tmp_path: Path) -> None:
    links = (EnterLink("secret-one", "sue", "/"), EnterLink("secret-two", "wall", "/wallboard"))
    async with site(tmp_path, links=links) as made:
        client = made.client(headers={"origin": ""})
        answer = await client.get("/enter/secret-two")
        assert (answer.status_code, answer.headers["location"]) == (303, "/wallboard")
        assert (await client.get("/api/me")).json()["role"] == "wallboard"
        assert (await made.client().get("/enter/secret-two")).json()["error"]["id"] == "link_used"
    async with site(tmp_path, links=links) as made:
        assert (await made.client().get("/enter/secret-two")).status_code == 403
        assert (await made.client().get("/enter/secret-one")).headers["location"] == "/"


async def test_without_links_there_is_no_way_to_enter(made: Site) -> None:
    answer: httpx.Response = await made.client().get("/enter/secret-one")
    assert answer.status_code == 404


async def test_a_ticket_is_one_of_many(made: Site) -> None:
    client = await made.signed_in("sue")
    first, second = [(await client.post("/api/ticket")).json()["ticket"] for _ in range(2)]
    assert first != second and len(first) >= 43
