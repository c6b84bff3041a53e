"""Firefox of the system, driven by WebDriver BiDi over its own WebSocket; no driver program is needed."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

FIREFOX = Path("/usr/bin/firefox-esr")
# The autoplay policy is the default one. The fake device is a sine, its permission prompt cannot be clicked without a
# screen, and the page of a test has no certificate, which a microphone would need.
PREFERENCES: Mapping[str, bool | int | str] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.devices.insecure.enabled": True,
    "media.getusermedia.insecure.enabled": True,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "remote.active-protocols": 1,
}


class BidiError(Exception):
    """Firefox refused a command or a script threw."""


class Tab:
    """One tab of Firefox."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._context = ""

    async def open(self) -> None:
        await self.command("session.new", {"capabilities": {}})
        tree = await self.command("browsingContext.getTree", {})
        self._context = tree["contexts"][0]["context"]

    async def command(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a command and return its result."""
        number = next(self._numbers)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(await self._socket.recv())
            if answer.get("id") == number:
                if answer["type"] == "error":
                    raise BidiError(f"{method}: {answer['error']} {answer.get('message')}")
                result: dict[str, Any] = answer["result"]
                return result

    async def goto(self, url: str) -> None:
        await self.command("browsingContext.navigate", {"context": self._context, "url": url, "wait": "complete"})

    async def evaluate(self, expression: str) -> Any:
        """Evaluate an expression, wait for its promise, and return its value by way of JSON."""
        result = await self.command(
            "script.evaluate",
            {
                "expression": f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))",
                "target": {"context": self._context},
                "awaitPromise": True,
            },
        )
        if result["type"] == "exception":
            raise BidiError(result["exceptionDetails"]["text"])
        return json.loads(result["result"]["value"])

    async def click(self, selector: str) -> None:
        """Click as a person does: a trusted gesture."""
        box = await self.evaluate(f"document.querySelector('{selector}').getBoundingClientRect()")
        x, y = int(box["x"] + box["width"] / 2), int(box["y"] + box["height"] / 2)
        pointer = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        actions = [{"type": "pointer", "id": "mouse", "actions": pointer}]
        await self.command("input.performActions", {"context": self._context, "actions": actions})


@asynccontextmanager
async def firefox() -> AsyncIterator[Tab]:
    """Yield the first tab of a headless Firefox with a fresh profile."""
    with TemporaryDirectory(prefix="livemon-firefox-") as profile:
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (Path(profile) / "user.js").write_text("\n".join(lines))
        process = await asyncio.create_subprocess_exec(
            str(FIREFOX),
            "--headless",
            "--no-remote",
            "--profile",
            profile,
            "--remote-debugging-port=0",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(40):
                url = ""
                while not url:
                    text = (await process.stderr.readline()).decode()
                    if "WebDriver BiDi listening on " in text:
                        url = text.split("listening on ")[1].strip() + "/session"
            async with connect(url, max_size=1 << 24, compression=None) as socket:
                tab = Tab(socket)
                await tab.open()
                yield tab
        finally:
            if process.returncode is None:
                process.terminate()
                # Read on, so that a full pipe does not keep Firefox from ending.
                await asyncio.wait_for(process.communicate(), 15)
