"""`python -m livemon.node`: one node process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from livemon import config as configuration
from livemon import log as logs
from livemon import spare
from livemon.bus.local import LocalBus
from livemon.config import Config
from livemon.errors import LivemonError
from livemon.node.app import Node
from sip_bridge.tasks import Tasks

log = logging.getLogger(__name__)


async def _run(config: Config) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    bus = LocalBus(config.bus_path, config.node.name)
    if not await bus.start(timeout=1.0):
        log.warning("the bus is not there yet; the node goes on trying")
    node = Node(config, bus)
    try:
        await node.start()
    except BaseException:
        await node.close()
        await bus.close()
        raise
    log.info("node %s is up", node.name)
    tasks = Tasks("main")
    died = tasks.start(node.run(), "run")
    await asyncio.wait((tasks.start(stop.wait(), "stop"), died), return_when=asyncio.FIRST_COMPLETED)
    failed = died.done()
    await tasks.close()
    await node.close()
    await bus.close()
    return 1 if failed else 0


def main(argv: list[str] | None = None) -> int:
    """Run a node until SIGTERM; returns the exit status (2 for a wrong setting)."""
    parser = argparse.ArgumentParser(prog="livemon.node", description="One livemon node.")
    parser.add_argument("--config", type=Path, help="the TOML file; without it every setting is at its default")
    parser.add_argument("--name", help="the node's name, instead of [node] name")
    spare.add_argument(parser)
    options = parser.parse_args(argv)
    try:
        if not spare.taken(options):
            return 0
        config = configuration.load(options.config)
        if options.name:
            config = config.model_copy(update={"node": config.node.model_copy(update={"name": options.name})})
        logs.configure(config.node.name, config.server.log_level)
        return asyncio.run(_run(config))
    except LivemonError as error:
        sys.stderr.write(f"livemon.node: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
