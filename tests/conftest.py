"""Shared by every test."""

from __future__ import annotations

import coverage
import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Mark what runs from here with the test's file, so that a core's coverage is counted from its own file."""
    if (running := coverage.Coverage.current()) is not None:
        running.switch_context(item.nodeid.partition("::")[0])
