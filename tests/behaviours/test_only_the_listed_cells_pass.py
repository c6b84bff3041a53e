"""Every role against every route and every action on calls of the own and of a foreign team: only listed cells pass.

The cells are generated from the route table and the table of rights, so that a new route or role is in the matrix
the moment it exists; what a cell must answer is written down here by hand, per right, and not computed by the code
under test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from livemon.api.principals import ROLES
from livemon.api.route import Route
from livemon.api.table import ROUTES
from tests.web_site import ORIGIN, Site, site

LOGINS: Final = {
    "agent": "anna",
    "supervisor": "sue",
    "qa": "quinn",
    "admin": "admin",
    "wallboard": "wall",
    "client": "clive",
}
MAY: Final[dict[str, set[str]]] = {
    "view": {"supervisor", "qa", "admin", "wallboard", "client"},
    "listen": {"supervisor", "qa", "admin"},
    "whisper": {"supervisor", "admin"},
    "barge": {"supervisor", "admin"},
    "audit": {"supervisor", "admin"},
    "manage": {"admin"},
    "signed_in": set(ROLES),
    "public": set(ROLES),
}
# c1 is of team blue, c2 of team red; sue, quinn and anna have blue, the client has the queue of c1.
SEES: Final[dict[str, set[str]]] = {"c1": {"supervisor", "qa", "admin"}, "c2": {"admin"}}
REFUSED: Final = (401, 403)
OFFER: Final = {"content-type": "application/sdp"}


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as one:
        yield one


def test_every_role_and_every_right_of_the_table_is_in_the_matrix() -> None:
    assert set(LOGINS) == set(ROLES)
    assert {route.right for route in ROUTES} <= set(MAY)
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


async def _ask(made: Site, route: Route, cookies: dict[str, str], origin: str) -> int:
    client = made.client(headers={"origin": origin})
    client.cookies.update(cookies)
    path = route.path.replace("{id}", "none")
    content = b"{}" if route.request is not None else None
    headers = {"content-type": "application/json"} if content else {}
    return (await client.request(route.method, path, content=content, headers=headers)).status_code


@pytest.mark.parametrize("role", [*ROLES, "nobody"])
async def test_every_route_for_every_role(made: Site, role: str) -> None:
    cells = 0
    for route in ROUTES:
        # A fresh sign-in for each cell: one of the routes signs out.
        cookies = {} if role == "nobody" else dict((await made.signed_in(LOGINS[role])).cookies)
        status = await _ask(made, route, cookies, ORIGIN)
        passes = route.right == "public" if role == "nobody" else role in MAY[route.right]
        assert (status not in REFUSED) == passes, (role, route.method, route.path, status)
        if route.changes:
            assert await _ask(made, route, cookies, "http://evil.example") == 403, (role, route.path)
        cells += 1
    assert cells == len(ROUTES)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("call", ["c1", "c2"])
@pytest.mark.parametrize("action", ["listen", "whisper", "barge"])
async def test_every_action_on_a_call_of_the_own_and_of_a_foreign_team(
    made: Site, role: str, call: str, action: str
) -> None:
    client = await made.signed_in(LOGINS[role])
    opened = await client.post(f"/api/calls/{call}/listen", content="v=0", headers=OFFER)
    passes = role in MAY["listen"] and role in SEES[call]
    assert (opened.status_code == 201) == passes
    if not passes:
        assert not [method for method, _ in made.node.asked]
        if role in MAY["listen"] or role not in MAY["view"]:
            assert (await made.entries("denied"))[-1]["user"] == f"user-{LOGINS[role]}"
        return
    changed = await client.post(f"{opened.headers['location']}/mode", json={"mode": action})
    assert (changed.status_code == 200) == (role in MAY[action])
    hopped = await client.post(f"{opened.headers['location']}/hop", json={"call": "c2"})
    assert (hopped.status_code == 200) == (role in SEES["c2"])
