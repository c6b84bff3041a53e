from __future__ import annotations

from pathlib import Path

import pytest

from livemon.api.pages import policy
from tests.web_site import Site, site

LONG = "/" + "a" * 5000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pages = tmp_path / "pages"
    (pages / "assets").mkdir(parents=True)
    (pages / "index.html").write_text("console")
    (pages / "wallboard.html").write_text("wallboard")
    (pages / "assets" / "core-1a2b.js").write_text("let x")
    (pages / ".secret").write_text("hidden")
    (tmp_path / "outside.txt").write_text("outside")
    return tmp_path


async def get(made: Site, path: str) -> tuple[int, str]:
    answer = await made.client().get(path)
    return answer.status_code, answer.text


async def test_every_page_has_its_html_and_assets_are_kept_for_ever(folder: Path) -> None:
    async with site(folder) as made:
        assert await get(made, "/") == (200, "console") == await get(made, "/audit") == await get(made, "/login")
        assert await get(made, "/wallboard") == (200, "wallboard")
        asset = await made.client().get("/assets/core-1a2b.js")
        assert asset.text == "let x" and "immutable" in asset.headers["cache-control"]
        page = await made.client().get("/")
        assert page.headers["cache-control"] == "no-cache" and page.headers["content-type"].startswith("text/html")


async def test_while_nobody_can_sign_in_every_page_leads_to_the_setup_and_later_none(folder: Path) -> None:
    async with site(folder) as made:
        assert (await made.client().get("/setup")).headers["location"] == "/login"
        made.web.setup_token = "token"
        for path in ("/", "/login", "/audit", "/wallboard"):
            answer = await made.client().get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/setup")
        assert await get(made, "/setup") == (200, "console")


@pytest.mark.parametrize(
    "path",
    [
        "/.secret",
        "/../outside.txt",
        "/%2e%2e/outside.txt",
        "/assets/..%2f..%2foutside.txt",
        "/assets",
        "/a%00b",
        "/" + "a" * 5000,
    ],
)
async def test_nothing_else_is_served(folder: Path, path: str) -> None:
    async with site(folder) as made:
        assert (await get(made, path))[0] == 404


async def test_pages_that_are_not_built_say_so(made: Site) -> None:
    status, text = await get(made, "/")
    assert status == 503 and "make setup" in text


async def test_every_answer_carries_the_security_headers(made: Site) -> None:
    for path in ("/", "/api/me", "/healthz", "/nothing", "/api/openapi.json"):
        headers = (await made.client().get(path)).headers
        assert "script-src 'self';" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "unsafe" not in headers["content-security-policy"]
    assert (await made.client().get("/api/me")).headers["cache-control"] == "no-store"


def test_pages_may_connect_to_the_fallback_too() -> None:
    assert "connect-src 'self' wss://node:1;" in policy(["wss://node:1"])
