"""A real `sip-bridge` for tests: its keeper, media and control processes, and their figures."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class BridgeProcess:
    """One bridge by hand; `arguments` are those of `sip-bridge`, `metrics` its HTTP port on 127.0.0.1."""

    def __init__(self, arguments: list[str], metrics: int, log: Path) -> None:
        self._arguments = [*arguments, "--metrics", f"127.0.0.1:{metrics}"]
        self._metrics = metrics
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> BridgeProcess:
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    "import sys; from sip_bridge.cli import main; sys.exit(main())",
                    *self._arguments,
                ],
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )
        for _ in range(200):
            if await self.ready():
                return self
            await asyncio.sleep(0.05)
        raise TimeoutError(f"the bridge did not start: {self.log()}")

    async def __aexit__(self, *_: object) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                await asyncio.to_thread(self.process.wait, 10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def log(self) -> str:
        """Return what the processes have written."""
        return self._log.read_text("utf-8", "replace")

    def pid(self, module: str) -> int:
        """Return the process id of the child that runs `module`."""
        assert self.process is not None
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = re.search(r"^PPid:\s*(\d+)", (entry / "status").read_text(), re.MULTILINE)
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if parent and int(parent[1]) == self.process.pid and module.encode() in words:
                return int(entry.name)
        raise LookupError(f"no child runs {module}")

    async def kill(self, module: str) -> None:
        """End a child with SIGKILL and wait until another one has taken its place."""
        old = self.pid(module)
        os.kill(old, signal.SIGKILL)
        for _ in range(400):
            try:
                if self.pid(module) != old:
                    return
            except LookupError:
                pass
            await asyncio.sleep(0.01)
        raise TimeoutError(f"{module} was not started again")

    async def figures(self) -> dict[str, float]:
        """Return the figures of `/metrics`, labels included in the name."""
        text = await asyncio.to_thread(self._get, "/metrics")
        rows = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    async def until(self, name: str, value: float, seconds: float = 5.0) -> None:
        """Wait until the figure `name` is `value`."""
        figures: dict[str, float] = {}
        for _ in range(int(seconds / 0.05)):
            try:
                figures = await self.figures()
            except OSError:
                figures = {}
            if figures.get(name) == value:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{name} is {figures.get(name)}, not {value}")

    async def ready(self) -> bool:
        """Whether the bridge takes calls."""
        try:
            return await asyncio.to_thread(self._get, "/readyz") == "ready\n"
        except OSError:
            return False

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}{path}", timeout=2) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()
