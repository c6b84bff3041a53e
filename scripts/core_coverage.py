"""Hold every core module to 100 % branch coverage from its own test file, and report the coverage of everything.

The cores are the source modules of the contract "cores" in pyproject.toml: one list for both rules.
"""

from __future__ import annotations

import io
import sys
import tomllib
from pathlib import Path

import coverage

ROOT = Path(__file__).resolve().parent.parent


def cores() -> list[str]:
    """Return the dotted names of the core modules."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return [name for rule in settings if rule.get("id") == "cores" for name in rule["source_modules"]]


def gaps(module: str, data: coverage.Coverage) -> list[str]:
    """Return the lines and branches of `module` that its own test file does not reach.

    A module of declarations alone has no test file (see scripts/mirror.py) and needs none: importing reaches it whole.
    """
    path = ROOT / (module.replace(".", "/") + ".py")
    own = path.relative_to(ROOT)
    test = f"tests/{own.with_name(f'test_{own.name}')}"
    # The empty context is what runs while modules are imported.
    data.get_data().set_query_contexts([f"^{test}", "^$"])
    analysis = data._analyze(str(path))
    lines = [f"{own}:{line}" for line in sorted(analysis.missing)]
    arcs = [f"{own}:{start}->{end}" for start, ends in analysis.missing_branch_arcs().items() for end in ends]
    return lines + arcs


def main() -> int:
    """Print each core's gaps and the total of everything; return the exit status."""
    data = coverage.Coverage(config_file=str(ROOT / "pyproject.toml"))
    data.combine(strict=True)
    missing = [gap for module in cores() for gap in gaps(module, data)]
    data.get_data().set_query_contexts(None)
    total = data.report(file=io.StringIO(), skip_empty=True)
    print(f"coverage of everything: {total:.0f} %; cores: {len(cores())}, gaps: {len(missing)}")
    print("\n".join(missing))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
