"""Programs of other projects that tests talk to: where they are, and what happens where they are not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

PACKAGES: Final = {"sipp": "sip-tester", "ip": "iproute2", "initdb": "postgresql", "postgres": "postgresql"}
"""Debian package of a program, where its name is another."""


def find(program: str) -> str | None:
    """Return the path of a program; also looks where Debian keeps what only root and services run."""
    folders = [os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    return shutil.which(program, path=":".join(folders))


def need(*programs: str, root: bool = False) -> None:
    """Skip the test when a program (or root) is missing; with CI=true, where all of them must be, fail it."""
    lacking = [PACKAGES.get(name, name) for name in programs if find(name) is None]
    words = [f"apt-get install {' '.join(sorted(set(lacking)))}"] if lacking else []
    words += ["run as root"] if root and os.geteuid() != 0 else []
    if not words:
        return
    reason = f"NOT RUN: {', '.join(words)}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
