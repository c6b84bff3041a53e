"""Run every test of every kind, in groups, and close with one line that counts them.

A group whose peer is missing is NOT RUN, with the command that brings it; with CI=true that is a failure.
`python -m scripts.test lint types` runs the named groups alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from scripts.setup import WEB, node_environment, system_node, wheel_node

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
PEERS = (
    "sudo apt-get install --no-install-recommends sip-tester baresip kamailio redis-server chromium firefox-esr "
    "iproute2 postgresql"
)
CI = os.environ.get("CI") == "true"


@dataclass(frozen=True)
class Group:
    """Commands that stand or fall together, and the programs they need."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    needs: tuple[str, ...] = ()
    cwd: Path = ROOT
    again: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """What is run once more when the command of that place fails: its failed tests alone (decision 0115)."""


def python(*words: str) -> tuple[str, ...]:
    """Return a command of the project's own Python."""
    return (str(BIN / "python"), *words)


def groups() -> list[Group]:
    """Return every group in the order of running: the quick ones first."""
    npm = tuple(system_node() or wheel_node())
    pytest = python("-m", "coverage", "run", "--parallel-mode", "-m", "pytest", "-q", "tests", "-m")
    interop = python("-m", "pytest", "-q", "tests", "-m", "interop")
    failed = ("--last-failed", "--last-failed-no-failures", "none")
    return [
        Group("lint", (python("-m", "ruff", "check", "."), python("-m", "ruff", "format", "--check", "."))),
        Group("types", (python("-m", "mypy"),)),
        Group("imports", ((str(BIN / "lint-imports"),),)),
        Group("mirror", (python("scripts/mirror.py"),)),
        Group("audit", (python("scripts/audit.py"),)),
        Group(
            "unit",
            (
                python("-m", "coverage", "erase"),
                (*pytest, "not interop"),
                python("scripts/core_coverage.py"),
            ),
            again={1: (*pytest, "not interop", *failed)},
        ),
        Group("pages", ((*npm, "run", "--silent", "check"),), cwd=WEB),
        Group("pages-e2e", ((*npm, "run", "--silent", "e2e"),), ("chromium",), WEB),
        Group(
            "interop",
            (interop,),
            ("sipp", "baresip", "kamailio", "chromium", "firefox-esr", "ip"),
            again={0: (*interop, *failed)},
        ),
    ]


def outcome(group: Group) -> str:
    """Run one group; return passed, failed or missing."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [name for name in group.needs if not shutil.which(name, path=path)]
    if missing:
        print(f"NOT RUN: {', '.join(missing)} missing; {PEERS}")
        return "failed" if CI else "missing"
    env = dict(os.environ, PYTHONPATH=str(ROOT))
    if group.cwd == WEB:
        env = node_environment(system_node() or wheel_node())
    env["PATH"] = f"{BIN}:{env['PATH']}:/usr/sbin:/sbin"
    result = "passed"
    for place, command in enumerate(group.commands):
        if not subprocess.run(command, cwd=group.cwd, env=env, check=False).returncode:
            continue
        again = group.again.get(place)
        if again is None:
            return "failed"
        print(f"\n=== {group.name}: the failed tests once more, alone", flush=True)
        if subprocess.run(again, cwd=group.cwd, env=env, check=False).returncode:
            return "failed"
        result = "passed at the second try"
    return result


def main(argv: list[str]) -> int:
    """Run the groups named, or all; return the exit status."""
    wanted = set(argv)
    counts = {"passed": 0, "failed": 0, "missing": 0}
    lines: list[str] = []
    for group in groups():
        if wanted and group.name not in wanted:
            continue
        print(f"\n=== {group.name}", flush=True)
        began = time.monotonic()
        result = outcome(group)
        counts[result.partition(" ")[0]] += 1
        lines.append(
            f"{group.name:10} {result if result != 'missing' else 'NOT RUN':8} {time.monotonic() - began:6.1f} s"
        )
    print("\n=== groups of tests\n" + "\n".join(lines))
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['missing']} skipped")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
