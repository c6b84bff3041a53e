from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from livemon.api.gate import MAX_BODY
from livemon.errors import Refused
from tests.web_site import PASSWORD, Site, site

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("origin", ["", "http://evil.example", "null", "http://localhost:81"])
async def test_a_change_from_another_origin_is_refused_before_anything_else(made: Site, origin: str) -> None:
    answer = await made.client(headers={"origin": origin}).post(
        "/api/login", json={"login": "sue", "password": PASSWORD}
    )
    assert (answer.status_code, answer.json()["error"]["id"]) == (403, "wrong_origin")
    assert "login" not in await made.kinds()


async def test_a_configured_origin_is_let_in(tmp_path: Path) -> None:
    async with site(tmp_path, origins=("https://monitor.example",)) as made:
        client = made.client(headers={"origin": "https://monitor.example"})
        assert (await client.post("/api/login", json={"login": "sue", "password": PASSWORD})).status_code == 200


@pytest.mark.parametrize(
    ("content", "headers", "status", "error"),
    [
        (b"{", JSON, 422, "bad_body"),
        (b"\xff", JSON, 422, "bad_body"),
        (b"{}", {"content-type": "text/plain"}, 415, "wrong_type"),
        (b"login=sue", {"content-type": "application/x-www-form-urlencoded"}, 415, "wrong_type"),
        (b"{}", {"content-type": "application/sdp"}, 415, "wrong_type"),
        (b" " * (MAX_BODY + 1), JSON, 413, "too_large"),
    ],
)
async def test_a_body_that_is_no_body_is_refused(
    made: Site, content: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    answer = await made.client().post("/api/login", content=content, headers=headers)
    assert (answer.status_code, answer.json()["error"]["id"]) == (status, error)


async def test_without_a_sign_in_nothing_is_shown(made: Site) -> None:
    client = made.client()
    client.cookies.set("livemon", "guess")
    assert (await client.get("/api/calls")).json()["error"]["id"] == "not_signed_in"


async def test_a_denied_attempt_is_recorded_with_its_action_and_target(made: Site) -> None:
    client = await made.signed_in("wall")
    await client.post("/api/calls/c1/listen", content=b"v=0", headers={"content-type": "application/sdp"})
    assert (await made.entries("denied"))[-1] == {
        "user": "user-wall",
        "name": "Wall",
        "remote": "127.0.0.1",
        "action": "listen.asked",
        "reason": "no_right",
        "id": "c1",
    }


async def test_an_attempt_that_cannot_be_recorded_stays_denied(made: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await made.signed_in("wall")

    def full(kind: str, fields: object) -> None:
        raise Refused("audit_unavailable", "disk full", 503)

    monkeypatch.setattr(made.web.journal, "append", full)
    assert (await client.get("/api/users")).status_code == 403
    answer = await client.post("/api/calls/c1/listen", content=b"v=0", headers={"content-type": "application/sdp"})
    assert answer.status_code == 403


async def test_a_database_that_fails_is_a_503_without_its_words(made: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await made.signed_in("admin")

    async def broken() -> None:
        raise OperationalError("select secret", None, Exception("boom"))

    monkeypatch.setattr(made.web.users, "all", broken)
    answer = await client.get("/api/users")
    assert (answer.status_code, answer.json()["error"]["id"]) == (503, "database_away")
    assert "secret" not in answer.text and answer.headers["retry-after"]
