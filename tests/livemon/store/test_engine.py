from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, inspect, text

from livemon.errors import ConfigError
from livemon.store.engine import CONNECTIONS, Store, newest_revision
from livemon.store.tables import metadata


async def test_the_migrations_make_exactly_the_tables_of_the_code(store: Store) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with store.read() as connection:
        assert await connection.run_sync(differences) == []
        revision = await connection.scalar(text("select version_num from alembic_version"))
    assert revision == newest_revision()


async def test_migrating_again_changes_nothing(store: Store) -> None:
    await store.migrate()
    assert await store.ready()


async def test_sqlite_runs_in_wal_mode_with_foreign_keys(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/a.db")
    async with store.read() as connection:
        assert await connection.scalar(text("pragma journal_mode")) == "wal"
        assert await connection.scalar(text("pragma foreign_keys")) == 1
    await store.close()


async def test_an_exception_rolls_a_write_back(store: Store) -> None:
    with pytest.raises(RuntimeError):
        async with store.write() as connection:
            await connection.execute(text("insert into teams (id, name) values ('t', 'T')"))
            raise RuntimeError
    async with store.read() as connection:
        assert await connection.scalar(text("select count(*) from teams")) == 0


async def test_writers_at_once_do_not_lock_each_other_out(store: Store) -> None:
    async def one(number: int) -> None:
        async with store.write() as connection:
            await connection.execute(text("insert into teams (id, name) values (:id, 'T')"), {"id": str(number)})

    await asyncio.gather(*(one(number) for number in range(30)))
    async with store.read() as connection:
        assert await connection.scalar(text("select count(*) from teams")) == 30


async def test_a_database_that_is_away_is_not_ready(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/no/such/folder/a.db")
    assert not await store.ready()
    await store.close()
    # aiosqlite's thread of a connection that failed still has a word to say to this loop.
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join)


@pytest.mark.parametrize("url", ["nonsense", "mysql://h/d"])
def test_a_wrong_url_names_what_to_write(url: str) -> None:
    with pytest.raises(ConfigError, match="sqlite://"):
        Store(url)


async def test_the_first_migration_can_be_undone(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    import livemon.store.engine as engine

    store = Store(f"sqlite:///{tmp_path}/a.db")
    await store.migrate()

    def down(connection: Connection) -> list[str]:
        config = Config()
        config.set_main_option("script_location", str(Path(engine.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        return inspect(connection).get_table_names()

    async with store.engine.connect() as connection:
        assert await connection.run_sync(down) == ["alembic_version"]
    await store.close()


async def test_sqlite_connections_are_used_again(tmp_path: Path) -> None:
    """Who guesses cookies costs a query each, not a thread and a file each."""
    store = Store(f"sqlite:///{tmp_path / 'again.db'}")
    opened: list[object] = []
    event.listen(store.engine.sync_engine, "connect", lambda connection, _: opened.append(connection))

    async def ask() -> None:
        async with store.read() as connection:
            await connection.execute(text("select 1"))

    for _ in range(10):
        await ask()
    assert len(opened) == 1
    # More at once than there are connections: everybody waits a turn, nobody is turned away.
    await asyncio.gather(*(ask() for _ in range(4 * CONNECTIONS)))
    assert len(opened) <= CONNECTIONS
    await store.close()
