"""A process that has loaded everything and waits for its turn: the supervisor lets it take over when another dies."""

from __future__ import annotations

import argparse
import sys
from typing import Final

FLAG: Final = "--spare"
GO: Final = b"go\n"
"""What the supervisor writes to a spare's standard input."""


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Let the command line of a process know the flag."""
    parser.add_argument(FLAG, action="store_true", help="load everything, then wait for the supervisor's word")


def taken(options: argparse.Namespace) -> bool:
    """Return True when this process is to run: at once, or as a spare when it is told; False when it never will."""
    # The end of the pipe without the word: the supervisor has stopped or died.
    return not options.spare or sys.stdin.buffer.readline() == GO
