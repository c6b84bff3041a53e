"""Shared by every test."""

from __future__ import annotations

import coverage
import pytest

_measured = ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Mark what runs from here with the test's file, so that a core's coverage is counted from its own file."""
    global _measured
    running, file = coverage.Coverage.current(), item.nodeid.partition("::")[0]
    # Only when the file changes: every switch writes what was measured to disk.
    if running is not None and file != _measured:
        running.switch_context(file)
        _measured = file
