from __future__ import annotations

import pytest

from livemon.api.describe import describe
from livemon.api.table import ENTER, ROUTES
from tests.web_site import Site


def test_every_route_is_described_with_its_right_and_its_bodies() -> None:
    document = describe((*ROUTES, ENTER))
    for route in ROUTES:
        operation = document["paths"][route.path][route.method.lower()]
        assert operation["x-right"] == route.right and operation["summary"]
        assert ("security" in operation) == (route.right != "public")
        assert ("requestBody" in operation) == (route.request is not None)
        assert ("parameters" in operation) == ("{" in route.path)
    listen = document["paths"]["/api/calls/{id}/listen"]["post"]
    assert set(listen["requestBody"]["content"]) == {"application/json", "application/sdp"}
    assert set(listen["responses"]["201"]["content"]) == {"application/json", "application/sdp"}
    assert "CallView" in document["components"]["schemas"]


def test_names_of_operations_are_unique() -> None:
    document = describe(ROUTES)
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names)


async def test_it_is_served(made: Site) -> None:
    answer = await made.client().get("/api/openapi.json")
    assert answer.json()["openapi"] == "3.1.0"


def test_a_tree_that_is_not_installed_is_described_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    import livemon.api.describe as module

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", missing)
    assert describe(ROUTES)["info"]["version"] == "0"
