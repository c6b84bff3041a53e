"""Write the lock files of the Python packages: hashes for every platform, no address of a registry."""

from __future__ import annotations

import subprocess
import sys

COMMON = [
    "--universal",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-header",
    "--python-version",
    "3.11",
    "--quiet",
]
LOCKS = {
    "requirements/run.txt": ["--extra", "demo", "--group", "build", "pyproject.toml"],
    "requirements/dev.txt": ["--extra", "demo", "--group", "build", "--group", "dev", "pyproject.toml"],
    "requirements/serve.txt": ["--group", "build", "pyproject.toml"],
    "requirements/node.txt": ["--group", "node", "--no-annotate", "scripts/none.in"],
}


def main() -> int:
    for path, what in LOCKS.items():
        done = subprocess.run([sys.executable, "-m", "uv", "pip", "compile", *COMMON, *what, "-o", path], check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
