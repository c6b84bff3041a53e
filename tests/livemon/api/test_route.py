from __future__ import annotations

from livemon.api.handlers.system import alive
from livemon.api.route import Route


def test_only_reading_changes_nothing() -> None:
    get = Route("/a", "GET", alive, None, None, "public")
    assert not get.changes
    assert all(Route("/a", method, alive, None, None, "public").changes for method in ("POST", "PATCH", "DELETE"))
