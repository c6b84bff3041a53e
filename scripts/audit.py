"""Audit the dependencies: every one is locked by hash, carries a licence that fits, and has no known hole.

The advisory services are asked where they can be reached; where not, that part says NOT RUN and the rest still counts.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BAD_LICENCE = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)", re.IGNORECASE)
LESSER = re.compile(r"LGPL|Lesser", re.IGNORECASE)
# Tools of the tests that are never imported by the product; a licence binds what is shipped.
TOOLS_ONLY: set[str] = set()


def locked(path: Path) -> dict[str, bool]:
    """Return each package of a lock file, and whether it carries a hash."""
    found: dict[str, bool] = {}
    name = ""
    for line in path.read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(\[[^\]]*\])?==", line):
            name = match.group(1).lower()
            found[name] = False
        elif "--hash=sha256:" in line and name:
            found[name] = True
    return found


def licence(distribution: metadata.Distribution) -> str:
    """Return what a distribution says of its licence."""
    meta = distribution.metadata
    words = [text[:200] for key in ("License-Expression", "License") for text in meta.get_all(key) or []]
    words += [line for line in meta.get_all("Classifier") or [] if line.startswith("License")]
    return " ".join(words)


def python_faults() -> list[str]:
    """Return what is wrong with the Python packages of the product."""
    faults: list[str] = []
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        faults += [f"{lock.name}: {name} has no hash" for name, hashed in locked(lock).items() if not hashed]
    for name in locked(ROOT / "requirements" / "run.txt"):
        try:
            said = licence(metadata.distribution(name))
        except metadata.PackageNotFoundError:
            continue  # for another platform
        if BAD_LICENCE.search(said) and not LESSER.search(said) and " OR " not in said and name not in TOOLS_ONLY:
            faults.append(f"{name}: licence does not fit: {said}")
    return faults


def npm_faults() -> list[str]:
    """Return what is wrong with the npm lock: no hash, a registry address, or a licence that does not fit."""
    path = ROOT / "web" / "package-lock.json"
    faults: list[str] = []
    for name, entry in json.loads(path.read_text())["packages"].items():
        if not name or entry.get("link"):
            continue
        if not entry.get("integrity"):
            faults.append(f"{name}: no hash")
        if "resolved" in entry:
            faults.append(f"{name}: the lock names a registry")
        if BAD_LICENCE.search(str(entry.get("license", ""))) and not entry.get("dev"):
            faults.append(f"{name}: licence does not fit: {entry['license']}")
    return faults


def advisories() -> list[str]:
    """Ask the advisory services for known holes; return them, or say that a service did not answer."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "-r",
        "requirements/run.txt",
        "--no-deps",
        "--disable-pip",
        "-f",
        "json",
    ]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    try:
        rows = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print("advisories for Python packages: NOT RUN, the service did not answer")
        return []
    known = [row for row in rows if "vulns" in row]
    print(f"advisories for Python packages: {len(known)} of {len(rows)} packages known to the service")
    return [f"{row['name']} {row['version']}: {hole['id']}" for row in known for hole in row["vulns"]]


def main() -> int:
    """Print what was found; return the exit status."""
    faults = python_faults() + npm_faults() + advisories()
    print("\n".join(faults) or "dependencies: locked by hash, licences fit")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
