"""Promise: the repository keeps its own rules, those that no other tool of it holds.

The length of the README, the shape of decisions, what the bridge imports, the order of the parts, and an example
configuration that both programs take.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sip_bridge.config
from livemon import config
from scripts.core_coverage import cores

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
# uvloop is optional; audioop is the standard library's until 3.13 and of audioop-lts from then on.
BRIDGE_MAY = {"sip_bridge", "websockets", "audioop", "uvloop"}
LONGEST_MODULE = 400


def sources(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the top-level names a module imports from elsewhere."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.partition(".")[0] for name in names}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_changes_are_written_down() -> None:
    assert "## 0.1.0" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_context_choice_and_cost(path: Path) -> None:
    text = path.read_text()
    places = [text.find(f"**{part}.**") for part in ("Context", "Choice", "Cost")]
    assert text.startswith(f"# {path.stem[:4]} ")
    assert places == sorted(places) and places[0] > 0


def test_decisions_have_a_number_each() -> None:
    numbers = [path.stem[:4] for path in DECISIONS]
    assert len(numbers) == len(set(numbers)) > 0


def test_the_bridge_imports_the_standard_library_and_what_it_may() -> None:
    foreign = {
        (path.name, name)
        for path in sources("sip_bridge")
        for name in imported(path) - BRIDGE_MAY
        if name not in sys.stdlib_module_names
    }
    assert foreign == set()


def test_modules_stay_short() -> None:
    long = [
        path.name for path in sources("livemon", "sip_bridge") if len(path.read_text().splitlines()) > LONGEST_MODULE
    ]
    assert long == []


def test_cores_are_modules_that_are_there() -> None:
    assert all((ROOT / (name.replace(".", "/") + ".py")).is_file() for name in cores())
    assert len(cores()) == len(set(cores()))


def test_no_core_reads_the_calendar_or_a_file() -> None:
    """What an import contract cannot see: the clock behind `datetime`, and `open`."""
    found = []
    for name in cores():
        for node in ast.walk(ast.parse((ROOT / (name.replace(".", "/") + ".py")).read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name("datetime" | "date"), attr="now" | "utcnow" | "today")):
                    found.append((name, node.lineno))
                case ast.Call(func=ast.Name("open")):
                    found.append((name, node.lineno))
    assert found == []


def test_both_programs_take_the_example() -> None:
    path = ROOT / "docs" / "livemon.example.toml"
    server = config.load(path)
    bridge = sip_bridge.config.load(path.read_text())
    assert server.link.key_file == Path(bridge.key_file)
