"""Opens the database and brings its tables up to date."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from livemon.errors import ConfigError

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_MIGRATION_LOCK: Final = 0x6C6D6F6E
"""PostgreSQL advisory lock ("lmon"): of several web processes that start at once, one migrates."""

CONNECTIONS: Final = 10
"""SQLite connections at most, kept open once used; more threads would only wait for the interpreter."""


class Store:
    """The database of one web process."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        # SQLite has one writer at a time: queueing our own writers here spares them the busy handler's sleeps.
        self._writing = asyncio.Lock()

    @property
    def dialect(self) -> str:
        """Return `sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection for reading."""
        async with self.engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection inside a transaction that is committed at the end, or rolled back by an exception."""
        if self.dialect != "sqlite":
            async with self.engine.begin() as connection:
                yield connection
            return
        async with self._writing, self.engine.begin() as connection:
            yield connection

    async def migrate(self) -> None:
        """Create or change the tables until they are those of this version."""
        async with self.engine.connect() as connection:
            if self.dialect == "postgresql":
                await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            await connection.run_sync(_upgrade)
            await connection.commit()

    async def ready(self) -> bool:
        """Return whether the database answers."""
        try:
            async with self.read() as connection:
                await connection.execute(text("select 1"))
        except (SQLAlchemyError, OSError):
            return False
        return True

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def newest_revision() -> str | None:
    """Return the id of the newest migration."""
    return ScriptDirectory(str(_MIGRATIONS)).get_current_head()


def _engine(url: str) -> AsyncEngine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            "database is not a URL; write sqlite:////path/livemon.db or postgresql://host/name"
        ) from error
    parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
    if parsed.drivername not in _DRIVERS.values():
        raise ConfigError(f"database: {parsed.drivername} is not supported; write sqlite:// or postgresql://")
    if parsed.drivername.startswith("sqlite"):
        # Kept open: a connection is a thread of aiosqlite, and opening one with its pragmas takes 3.5 ms, using it 0.5.
        engine = create_async_engine(
            parsed, poolclass=AsyncAdaptedQueuePool, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=5
        )
        event.listen(engine.sync_engine, "connect", _pragmas)
        return engine
    # 10 connections: a page of requests at once; a pool that is empty for 5 s is better told than waited for.
    return create_async_engine(parsed, pool_size=10, pool_timeout=5, pool_pre_ping=True)


def _pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
