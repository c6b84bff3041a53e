"""Mutated SIP messages never raise, never hang and leave nothing behind.

`SIP_FUZZ_MESSAGES` sets how many are tried (acceptance: 60000), `SIP_FUZZ_SEED` the seed; `$LIVEMON_SHARED` adds the
messages of RFC 4475 kept beside the repository to those written here.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from sip_bridge.hooks import Hop
from tests.sip_stage import SDP_A, SDP_B, Stage

MESSAGES = int(os.environ.get("SIP_FUZZ_MESSAGES", "4000"))
SEED = int(os.environ.get("SIP_FUZZ_SEED", "20261122"))
PIECES = [
    b"\r\n", b"\n", b"\r", b":", b";", b",", b"<", b">", b'"', b"\\", b"\0", b"\xff", b"%00", b"tag=", b"branch=",
    b"SIP/2.0", b" ", b"\t", b"99999999999999999999", b"-1", b"sip:", b"@", b"[::1]", b"Via: ", b"To: ",
    b"Contact: *", b"Route: ", b"Replaces: ", b"Refer-To: <", b"RAck: 1", b"\xd9\xa3",
]  # fmt: skip
METHODS = (
    "INVITE",
    "BYE",
    "CANCEL",
    "PRACK",
    "UPDATE",
    "INFO",
    "REFER",
    "OPTIONS",
    "ACK",
    "REGISTER",
    "NOTIFY",
    "SUBSCRIBE",
)


def corpus(stage: Stage) -> list[bytes]:
    """Return messages of a living call, and what else there is."""
    tag = stage.talk()
    messages = [stage.ask(method, 2, to_tag=tag, body=SDP_A) for method in METHODS]
    messages += [stage.ask(method, 1, call_id="new") for method in METHODS]
    messages += [stage.back(method, 1, body=SDP_B) for method in METHODS]
    messages += [b"SIP/2.0 200 OK\r\n" + message.split(b"\r\n", 1)[1] for message in messages]
    for request in stage.callee.inbox:
        raw = request.encode()
        messages += [b"SIP/2.0 %d X\r\n" % status + raw.split(b"\r\n", 1)[1] for status in (100, 183, 200, 486)]
    shared = os.environ.get("LIVEMON_SHARED")
    if shared:
        messages += [path.read_bytes() for path in sorted(Path(shared).glob("protocol/sip_torture/*/*.dat"))]
    return messages


def mutate(rng: random.Random, messages: list[bytes]) -> bytes:
    data = bytearray(rng.choice(messages))
    for _ in range(rng.randint(1, 6)):
        kind = rng.random()
        at = rng.randrange(len(data) + 1)
        if kind < 0.35:
            data[at:at] = rng.choice(PIECES)
        elif kind < 0.6:
            del data[at : at + rng.randint(1, 20)]
        elif kind < 0.8 and data:
            data[at - 1] = rng.randrange(256)
        elif kind < 0.9:
            data[at:at] = data[max(0, at - 30) : at] * rng.randint(1, 50)
        else:
            data[at:at] = rng.choice(messages)[: rng.randint(1, 300)]
    return bytes(data)


@pytest.mark.slow
def test_mutated_messages_raise_nothing_and_leave_nothing() -> None:
    rng = random.Random(SEED)
    stage = Stage()
    messages = corpus(stage)
    slowest: list[float] = []
    for _ in range(MESSAGES):
        data = mutate(rng, messages)
        source = Hop(rng.choice(("udp", "udp", "tcp")), "127.0.0.1", rng.choice((5061, 5080, rng.randint(1024, 65535))))
        began = time.perf_counter()
        stage.layer.receive(data, source, stage.now)
        slowest.append(time.perf_counter() - began)
        stage.layer.drain()
        if rng.random() < 0.01:
            stage.now += rng.random() * 5
            stage.layer.tick(stage.now)
            stage.layer.drain()
    # A second of stalled machine is no fault of the parser; quadratic behaviour would fill the upper tenth.
    assert sorted(slowest)[int(len(slowest) * 0.9)] < 0.25
    for _ in range(3):
        # Old requests fail, their calls are hung up, those hang-ups fail, and the subscriptions run out.
        for call in list(stage.b2bua.calls):
            stage.b2bua.hang_up(call, "end of test", stage.now)
        stage.now += 100_000
        stage.layer.tick(stage.now)
        stage.layer.drain()
    assert (len(stage.layer.clients), len(stage.layer.servers)) == (0, 0)
    assert stage.b2bua.idle
    assert len(stage.registrar) == 0
    assert len(stage.layer.timers) == 0
