"""The web process of the demo: the usual one, one-use links that sign in, and what the parties hear.

`python -m livemon.demo.web --config FILE --bus unix:PATH`; the links come in the environment (`LINKS`), so that no
other user of the machine reads them off the list of processes.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from starlette.responses import Response

from livemon import spare
from livemon.api.__main__ import arguments, run
from livemon.api.route import Ask, Reply, Route
from livemon.api.settings import EnterLink, settings_from
from livemon.config import load
from livemon.demo.centre import HEARD_TOPIC
from livemon.errors import ConfigError

LINKS = "LIVEMON_DEMO_LINKS"
"""Name of the variable that holds a JSON list of [token, login, path]."""

# The phones publish twice a second; one that says nothing for longer is not there.
HEARD_WITHIN_S = 2.0


async def heard(ask: Ask) -> Reply | Response:
    """Answer with the levels measured at every phone, newest first-hand."""
    subscription = ask.web.bus.subscribe(HEARD_TOPIC, limit=1)
    try:
        async with asyncio.timeout(HEARD_WITHIN_S):
            message = await subscription.get()
    except TimeoutError:
        return Response(b'{"phones":[]}', media_type="application/json")
    finally:
        subscription.close()
    return Response(message.body, media_type="application/json")


ROUTES = (Route("/demo/heard", "GET", heard, None, None, "signed_in", summary="What the demo's phones hear, in dBFS."),)


def links(text: str) -> tuple[EnterLink, ...]:
    """Return the links in the JSON of `LINKS`; raises ConfigError."""
    try:
        return tuple(EnterLink(token, login, path) for token, login, path in json.loads(text or "[]"))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{LINKS} is no JSON list of [token, login, path]: {error}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the process; return its exit code."""
    given = arguments(argv)
    try:
        if not spare.taken(given):
            return 0
        config = load(given.config)
        settings = replace(settings_from(config), links=links(os.environ.pop(LINKS, "")))
        path = Path(given.bus.removeprefix("unix:")) if given.bus else config.bus_path
        asyncio.run(run(settings, path, ROUTES))
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one line that names the fix
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
