"""CPU time and cores of running processes, all their threads included."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import psutil


def cpu_ms(pid: int) -> float:
    """Return the CPU time all threads of a process have used, in ms, to the nanosecond of the scheduler."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e6


def pin(pid: int, core: int) -> None:
    """Keep a process, its threads and its children on one core, where there are several."""
    if (os.cpu_count() or 1) < 2:
        return
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        for thread in process.threads():
            with contextlib.suppress(OSError):
                os.sched_setaffinity(thread.id, {core})


def come_first(pid: int) -> None:
    """Let a process run before other work where we may: the media process does the same for itself."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))


def scheduling(pid: int) -> str:
    """Return the name of a process's scheduling class."""
    return "round robin" if os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR else "other"


def bridge_parts(keeper: int) -> dict[str, int]:
    """Return the process ids of a bridge's parts by name."""
    found = {"keeper": keeper}
    for child in psutil.Process(keeper).children():
        words = child.cmdline()
        for name, module in (("media", "sip_bridge.media.host"), ("control", "sip_bridge.control")):
            if module in words:
                found[name] = child.pid
    return found
