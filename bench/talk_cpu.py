"""CPU of the talk analysis per call-second: `python bench/talk_cpu.py [SECONDS]`.

Two legs a call at 100 and 500 calls, PCMU, 20 ms packets with random phase, half of them talking at any time. The
sound is the recordings of `$LIVEMON_SHARED/data` where there are some, else speech-like sound. Counted: queueing,
steps, and once a second figures and spurts, ten times a second the alert rules.
"""

from __future__ import annotations

import json
import os
import sys
import time
import wave
from pathlib import Path
from random import Random

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from livemon.alerts.engine import AlertEngine
from livemon.talk.engine import TalkEngine
from sip_bridge.link.wire import TapPacket
from tests.speechlike import mulaw, talk

STEP_US = 20_000


def sounds() -> list[tuple[bytes, bytes]]:
    cases = Path(os.environ.get("LIVEMON_SHARED", "/nowhere")) / "data" / "cases"
    out = []
    for name in ("lca_auto40", "synth_01_clean_turns", "synth_02_talkover", "hvb_0002f70f"):
        if (cases / name).is_dir():
            legs = []
            for side in ("agent", "customer"):
                with wave.open(str(cases / name / f"{side}.wav"), "rb") as file:
                    samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
                legs.append(mulaw(samples / 32768.0))
            out.append((legs[0], legs[1]))
    if not out:
        turns = [(t, t + 3.0) for t in range(0, 60, 7)]
        replies = [(t + 3.5, t + 6.5) for t in range(0, 54, 7)]
        out.append((talk(60, turns, 1), talk(60, replies, 2)))
    return out


def traffic(calls: int, seconds: float) -> list[list[TapPacket]]:
    random = Random(1)
    recordings = sounds()
    steps: list[list[TapPacket]] = [[] for _ in range(round(seconds * 50))]
    for call in range(calls):
        pair = recordings[call % len(recordings)]
        shift = random.randrange(len(pair[0]) // 160)
        for side, octets in enumerate(pair):
            leg, phase = call * 2 + side, random.randrange(STEP_US)
            for number, step in enumerate(steps):
                at = (shift + number) * 160 % (len(octets) - 160)
                arrival = 1_000_000 + number * STEP_US + phase
                step.append(TapPacket(leg, number & 0xFFFF, 0, False, 0, number * 160, arrival, octets[at : at + 160]))
    for step in steps:
        step.sort(key=lambda packet: packet.arrival_us)
    return steps


def run(calls: int, steps: list[list[TapPacket]]) -> tuple[float, float, float]:
    engine, alerts = TalkEngine(), AlertEngine()
    ids = [f"call{i}" for i in range(calls)]
    for i, call in enumerate(ids):
        engine.start(call, 1_000_000)
        engine.signal(call, "answered", 1_000_000)
        engine.add_leg(i * 2, call, "agent", {0: "PCMU"})
        engine.add_leg(i * 2 + 1, call, "customer", {0: "PCMU"})
    spent = [0.0, 0.0, 0.0]
    for number, packets in enumerate(steps):
        now = 1_000_000 + (number + 1) * STEP_US
        t0 = time.process_time()
        engine.packets(packets)
        engine.step(now)
        engine.drain()
        t1 = time.process_time()
        if number % 5 == 0:
            for call in ids:
                alerts.feed(call, engine.condition(call), now // 1000)
        t2 = time.process_time()
        if number % 50 == 0:
            for call in ids:
                engine.figures(call)
                engine.spurts_since(call, now // 1000 - 2000)
        t3 = time.process_time()
        for k, t in enumerate((t1 - t0, t2 - t1, t3 - t2)):
            spent[k] += t
    return spent[0], spent[1], spent[2]


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    for calls in (100, 500):
        steps = traffic(calls, seconds)
        runs = [run(calls, steps) for _ in range(3)]
        for k, name in enumerate(("step", "alerts", "figures")):
            value = min(spent[k] for spent in runs) * 1000 / (calls * seconds)
            goal = 0.5 if name == "step" else None
            print(
                json.dumps(
                    {
                        "name": f"talk_cpu_{name}",
                        "value": round(value, 3),
                        "unit": "ms per call-second",
                        "goal": goal,
                        "peer": "Asterisk TALK_DETECT both legs, beyond the plain bridge",
                        "peer_value": 1.5 if name == "step" else None,
                        "conditions": {
                            "calls": calls,
                            "seconds": seconds,
                            "recordings": bool(os.environ.get("LIVEMON_SHARED")),
                            "load": os.getloadavg()[0],
                        },
                    }
                )
            )


if __name__ == "__main__":
    main()
