"""The file a restarted node continues from."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from livemon.calls.book import KeptCall
from livemon.node.line import KeptLine

log = logging.getLogger(__name__)

VERSION = 1
MAX_AGE_MS = 60_000
"""Older checkpoints are of no use: the bridge replays 6 s, and figures with a minute's hole are not whole-call ones."""


class Checkpoint(msgspec.Struct, frozen=True):
    """State of one node; written every second."""

    version: int
    node: str
    saved_ms: int
    lines: tuple[KeptLine, ...]
    calls: tuple[KeptCall, ...]
    heard: dict[str, float] = {}
    """Seconds heard so far by listening session."""


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the file at once and whole; not synced, since it need only outlive the process, not the machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    # 0600: times at which named people spoke.
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.msgpack.encode(checkpoint))
    fresh.replace(path)


def read(path: Path, node: str, now_ms: int) -> Checkpoint | None:
    """Return a checkpoint that is worth continuing from, or None."""
    try:
        found = msgspec.msgpack.decode(path.read_bytes(), type=Checkpoint)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("the checkpoint cannot be read and is ignored: %s", error)
        return None
    if found.version != VERSION or found.node != node or not 0 <= now_ms - found.saved_ms <= MAX_AGE_MS:
        return None
    return found
