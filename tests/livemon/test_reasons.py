"""One set of reason ids: whatever livemon refuses with has a status and a text on the page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from livemon.reasons import STATUS, status

ROOT = Path(__file__).resolve().parents[2]
# Said to programs only: requests no page makes, and the demo's links.
NOT_ON_PAGES = {
    *("bad_request", "no_such_method", "no_such_writer", "no_such_user", "wrong_type", "too_large", "own_rights"),
    "link_used",
}


def refusals(folder: str) -> Iterator[tuple[str, int | None]]:
    """Yield id and literal status of every `Refused("id", ...)` in the sources."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args or getattr(node.func, "id", "") != "Refused":
                continue
            first, last = node.args[0], node.args[-1]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                literal = last.value if isinstance(last, ast.Constant) and isinstance(last.value, int) else None
                yield first.value, literal


def page_texts() -> set[str]:
    catalogue = (ROOT / "web" / "src" / "strings" / "en.ts").read_text("utf-8")
    return set(re.findall(r'"reason\.(\w+)"', catalogue))


def test_every_id_has_a_text_on_the_page() -> None:
    used = {reason for reason, _ in refusals("livemon")} - NOT_ON_PAGES
    assert used | set(STATUS) <= page_texts(), (used | set(STATUS)) - page_texts()


@pytest.mark.parametrize("folder", ["livemon/listen", "livemon/node", "livemon/bus"])
def test_a_status_beside_an_id_is_that_of_the_table(folder: str) -> None:
    told = [(reason, literal) for reason, literal in refusals(folder) if literal is not None and reason in STATUS]
    assert told == [(reason, status(reason)) for reason, _ in told]


def test_an_id_only_a_bridge_knows_is_a_conflict() -> None:
    assert status("some_new_obstacle") == 409
