"""Hold the tests against the sources: every module has a test file of its own, every test file a module.

Also holds what the repository may say: no absolute path of a machine, no address of a package registry.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("livemon", "sip_bridge")
# Not mirrored: package markers, and the migrations, which one test runs up and down as a whole.
SKIPPED_NAMES = {"__init__.py", "__main__.py"}
SKIPPED_FOLDERS = {"migrations", "pages"}
# Test folders that are not a mirror of a package.
FREE = {"behaviours", "interop", "fuzz"}
FORBIDDEN = re.compile(r"/(?:work|home|farm)/\w|/root/|registry\.npmjs|pypi\.org|files\.pythonhosted")
# The lists and locks that name such things for a reason.
MAY_SAY = {"scripts/mirror.py"}


def declares_only(path: Path) -> bool:
    """Say whether a module holds only declarations (records, protocols): no function of it has a body to test."""
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return all(
        isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for node in functions for one in node.body
    )


def sources() -> set[str]:
    """Return the test path that each source module wants, relative to tests/."""
    wanted: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            part = path.relative_to(ROOT)
            if path.name in SKIPPED_NAMES or SKIPPED_FOLDERS & set(part.parts):
                continue
            wanted.add(str(part.with_name(f"test_{path.name}")))
    return wanted


def source_of(test: str) -> Path:
    """Return the module that a test path mirrors."""
    path = ROOT / test
    return path.with_name(path.name.removeprefix("test_"))


def tests() -> set[str]:
    """Return the test files below the mirrored folders, relative to tests/."""
    base = ROOT / "tests"
    found = {str(path.relative_to(base)) for package in PACKAGES for path in (base / package).rglob("test_*.py")}
    return {path for path in found if not FREE & set(Path(path).parts)}


def forbidden_words() -> list[str]:
    """Return the places that name a machine's paths or a registry."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\n"
    )
    places: list[str] = []
    for name in filter(None, listed):
        path = ROOT / name
        if name in MAY_SAY or not path.is_file():
            continue
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        places += [f"{name}:{number}" for number, line in enumerate(lines, 1) if FORBIDDEN.search(line)]
    return places


def main() -> int:
    """Print what does not fit; return the exit status."""
    wanted, found = sources(), tests()
    # A `__main__` may have a test, `test_main.py`, and need not: the process itself is run by tests/behaviours.
    found = {path for path in found if Path(path).name != "test_main.py"}
    bare = {path for path in wanted - found if declares_only(source_of(path))}
    faults = [f"no test file of its own: tests/{path}" for path in sorted(wanted - found - bare)]
    faults += [f"no module for tests/{path}" for path in sorted(found - wanted)]
    faults += [f"names a machine's path or a registry: {place}" for place in forbidden_words()]
    print("\n".join(faults) or f"{len(found)} test files mirror {len(wanted)} modules")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
