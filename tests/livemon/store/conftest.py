"""A migrated database: SQLite always, PostgreSQL where its programs are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from livemon.store.engine import Store
from tests.peers import find, need


def _as_nobody(*command: str | Path) -> list[str]:
    # PostgreSQL refuses to run as root.
    words = [str(word) for word in command]
    return ["runuser", "-u", "postgres", "--", *words] if os.geteuid() == 0 else words


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    need("initdb", "postgres")
    initdb, server = str(find("initdb")), str(find("postgres"))
    folder = Path(tempfile.mkdtemp(prefix="livemon-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    subprocess.run(_as_nobody(initdb, "-A", "trust", "-N", "-U", "livemon", data), check=True, capture_output=True)
    process = subprocess.Popen(
        _as_nobody(server, "-D", data, "-c", "listen_addresses=", "-k", folder, "-c", "fsync=off"),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "ready to accept connections" in line:
                break
        yield f"postgresql://livemon@/postgres?host={folder}"
    finally:
        process.terminate()
        process.communicate()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        store = Store(f"sqlite:///{tmp_path}/livemon.db")
    else:
        store = Store(request.getfixturevalue("postgres_url"))
        async with store.engine.begin() as connection:
            await connection.exec_driver_sql("drop schema public cascade")
            await connection.exec_driver_sql("create schema public")
    await store.migrate()
    yield store
    await store.close()
