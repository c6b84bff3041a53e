"""The parts of one web process, joined."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from livemon.api.feed.hub import FeedHub
from livemon.api.identity import Identity
from livemon.api.importer import Importer
from livemon.api.origins import Origins
from livemon.api.settings import WebSettings
from livemon.audit.journal import Journal
from livemon.bus.port import Bus
from livemon.errors import BusError, BusTimeout, Refused, RemoteError
from livemon.reasons import status
from livemon.store.directory import DirectoryStore
from livemon.store.engine import Store
from livemon.store.interactions import History
from livemon.store.trail import TrailStore
from livemon.store.users import Users
from sip_bridge.tasks import Tasks

log = logging.getLogger(__name__)

T = TypeVar("T")

SETUP_TOKEN: Final = "setup-token"
"""File in the data directory that holds the token for the first admin, while there is none."""


def utc_ms() -> int:
    """Return the time of day in epoch ms."""
    return int(datetime.now(UTC).timestamp() * 1000)


@dataclass(slots=True)
class Web:
    """What handlers work with."""

    settings: WebSettings
    bus: Bus
    store: Store
    users: Users
    directory: DirectoryStore
    trail: TrailStore
    history: History
    journal: Journal
    importer: Importer
    identity: Identity
    feed: FeedHub
    origins: Origins
    now_ms: Callable[[], int]
    tasks: Tasks = field(default_factory=lambda: Tasks("web"))
    setup_token: str = ""
    """Not empty while nobody can sign in: opens POST /api/setup."""

    async def record(self, kind: str, fields: dict[str, Any]) -> None:
        """Write an audit entry; returns once it is on the disk, raises Refused when it cannot be written."""
        await asyncio.to_thread(self.journal.append, kind, fields)
        self.importer.own_news()

    async def ask(self, node: str, method: str, message: msgspec.Struct, answer: type[T], timeout: float = 5.0) -> T:
        """Ask a node; its refusals come back as Refused with an HTTP status."""
        try:
            body = await self.bus.request(f"node.{node}", method, msgspec.msgpack.encode(message), timeout)
        except RemoteError as error:
            raise Refused(error.id, error.text, status(error.id)) from error
        except BusTimeout as error:
            raise Refused("node_silent", f"{node} did not answer in time", 504) from error
        except BusError as error:
            raise Refused("bus_away", "the bus between the processes is away", 503) from error
        return msgspec.msgpack.decode(body, type=answer)

    def set_up_done(self) -> None:
        """Close POST /api/setup for good and remove its token."""
        self.setup_token = ""
        (self.settings.data_dir / SETUP_TOKEN).unlink(missing_ok=True)
