"""Firefox with its default autoplay policy listens, whispers, hops and restarts ICE.

It runs in a network namespace of its own with one address, because Firefox pairs no loopback addresses.
Its sound is judged by recordings of the elements (MediaRecorder): without a sound card it has no AudioContext.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ADDRESS = "10.77.0.1"
NAMESPACE = (
    "ip link set lo up && ip link add v0 type veth peer name v1 && "
    f"ip addr add {ADDRESS}/24 dev v0 && ip link set v0 up && ip link set v1 up && "
    f'exec "$0" -m tests.interop.firefox_run {ADDRESS}'
)

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    # root: the browser runs in a network namespace of its own.
    pytest.mark.needs("firefox-esr", "ip", root=True),
]


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", NAMESPACE, sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def is_tone(found: list[float], hz: float) -> bool:
    return abs(found[0] - hz) < 10 and found[1] > 0.9


def test_one_click_connects_and_plays(seen: dict[str, Any]) -> None:
    assert "error" not in seen["stages"]
    assert "refused" not in seen["stages"]
    assert seen["paused"] == [False, False, False]
    assert seen["stages"]["connected"] - seen["stages"]["click"] < 2000


def test_both_legs_are_heard(seen: dict[str, Any]) -> None:
    assert is_tone(seen["agent"], 440)
    assert is_tone(seen["customer"], 880)


def test_the_microphone_arrives_while_the_key_is_held(seen: dict[str, Any]) -> None:
    assert seen["chunks"] > 60
    assert seen["microphone"][1] > 0.8
    assert seen["chunks_after_key_up"] == 0


def test_a_hop_and_an_ice_restart_keep_the_connection(seen: dict[str, Any]) -> None:
    assert is_tone(seen["hop"], 1200)
    assert is_tone(seen["restart"], 1600)


def test_closing_the_connection_ends_the_session(seen: dict[str, Any]) -> None:
    assert seen["closed"] == "browser_closed"
