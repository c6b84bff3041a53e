"""Shared by every test."""

from __future__ import annotations

import coverage
import pytest

from tests.peers import need

_measured = ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Count coverage for the test's file, since a core is held to that of its own file; ask for the peers it needs."""
    global _measured
    running, file = coverage.Coverage.current(), item.nodeid.partition("::")[0]
    # Only when the file changes: every switch writes what was measured to disk.
    if running is not None and file != _measured:
        running.switch_context(file)
        _measured = file
    for mark in item.iter_markers("needs"):
        need(*mark.args, **mark.kwargs)
