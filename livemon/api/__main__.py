"""`python -m livemon.api --config FILE --bus unix:PATH`: one web process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from livemon import spare
from livemon.api.app import build
from livemon.api.route import Route
from livemon.api.server import Server, configure
from livemon.api.settings import WebSettings, settings_from
from livemon.bus.local import LocalBus
from livemon.config import load
from livemon.errors import ConfigError


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m livemon.api", description="One web process of livemon.")
    parser.add_argument("--config", type=Path, default=None, help="the TOML file; without it all defaults hold")
    parser.add_argument("--bus", default="", help="unix:PATH of the bus; without it bus.sock in the data directory")
    spare.add_argument(parser)
    return parser.parse_args(argv)


async def run(settings: WebSettings, bus_path: Path, extra_routes: Sequence[Route] = ()) -> None:
    """Serve until a signal ends it; the bus may come later."""
    bus = LocalBus(bus_path, "web")
    await bus.start(timeout=2.0)
    try:
        app = build(settings, bus, extra_routes)
        await Server(configure(app.asgi, settings)).serve()
    finally:
        await bus.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the process; return its exit code."""
    given = arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        if not spare.taken(given):
            return 0
        config = load(given.config)
        bus_path = Path(given.bus.removeprefix("unix:")) if given.bus else config.bus_path
        asyncio.run(run(settings_from(config), bus_path))
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one line that names the fix
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
