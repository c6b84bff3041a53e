"""A running web process for the tests of its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web_site import Site, served, site


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as one:
        yield one


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Site]:
    async with served(tmp_path) as one:
        yield one
