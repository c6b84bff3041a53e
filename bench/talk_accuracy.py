"""Accuracy of the talk analysis on recordings with known truth: `python bench/talk_accuracy.py [CASE ...]`.

Needs `$LIVEMON_SHARED/data` (cases and the scorer). Cases with hold or ringing run twice: without signalling, and
with it, as in a real call. One JSON line per figure; `peer` is webrtcvad mode 3 with a fixed -50 dBFS gate on the
same recordings under the same condition: unsignalled against unsignalled, signalled against signalled.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from livemon.talk.offline import Event, analyse

# frame error %, talk-over precision and recall %: the simple means measured beside the recordings
PEER: dict[str, tuple[float, float | None, float | None]] = {
    "genesys_connector": (0.3, None, None),
    "lca_auto40": (1.4, None, None),
    "hvb_0002f70f": (1.4, None, None),
    "rtpproxy_sess6": (3.5, 100, 88),
    "speechmatics_cc": (7.6, 100, 66),
    "synth_01_clean_turns": (0.5, 100, 86),
    "synth_02_talkover": (0.9, 99, 94),
    "synth_03_noisy_customer": (3.8, 21, 100),
    "synth_05_echo_leak": (16.1, 10, 92),
    "synth_07_dtx_comfort_noise": (1.4, 95, 93),
    "synth_08_hold_music": (13.2, None, None),
    "synth_09_ringback_ivr_dtmf": (3.3, None, None),
}


# The same means with the held or ringing leg muted in the signalled stretches, measured with the same spurt rules.
PEER_SIGNALLED: dict[str, tuple[float, float | None, float | None]] = {
    "rtpproxy_sess6": (0.94, 100, 87.5),
    "synth_08_hold_music": (0.56, 100, 98.4),
    "synth_09_ringback_ivr_dtmf": (1.61, 94.3, 94.8),
}


def load_scorer(data: Path) -> Any:
    sys.path.insert(0, str(data / "tools"))
    spec = importlib.util.spec_from_file_location("livemon_score", data / "tools" / "score.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.score


def events_of(truth: dict[str, Any]) -> list[Event]:
    """What signalling would have said: music means hold by that leg's side, ringback means ringing."""
    kinds = {tag for marks in truth["nonspeech"].values() for _, _, tag in marks}
    begin, end = ("hold", "resume") if "hold_music" in kinds else ("ringing", "answered")
    events: list[Event] = []
    for start, stop in truth["exclude"]:
        events += [Event(start, begin), Event(stop, end)]  # type: ignore[arg-type]
    return events


def figure(name: str, value: float, unit: str, goal: object, peer_value: object, **conditions: object) -> None:
    print(
        json.dumps(
            {
                "name": name,
                "value": value,
                "unit": unit,
                "goal": goal,
                "peer": "webrtcvad mode 3 + level gate",
                "peer_value": peer_value,
                "conditions": conditions,
            }
        )
    )


def main() -> None:
    shared = os.environ.get("LIVEMON_SHARED", "")
    data = Path(shared) / "data"
    if not shared or not data.is_dir():
        sys.exit("NOT RUN: set LIVEMON_SHARED to the folder that holds data/cases and data/tools")
    score = load_scorer(data)
    wanted = sys.argv[1:]
    for case in sorted((data / "cases").iterdir()):
        if wanted and case.name not in wanted:
            continue
        truth = json.loads((case / "truth.json").read_text())
        run(score, case, truth, [], PEER.get(case.name))
        if truth["exclude"]:
            run(score, case, truth, events_of(truth), PEER_SIGNALLED.get(case.name))


def run(score: Any, case: Path, truth: dict[str, Any], events: list[Event], peer: Any) -> None:
    begun = time.process_time()
    found = analyse(case / "agent.wav", case / "customer.wav", events)
    spent = time.process_time() - begun
    result = score(truth, found, 5.0)
    peer = peer or (None, None, None)
    conditions = {"case": case.name, "signalled": bool(events)}
    figure("talk_frame_error", result["frame_err_pct"], "%", peer[0], peer[0], **conditions)
    if result["talkover_frames"] >= 25:
        figure("talkover_precision", result["talkover_precision"], "%", peer[1], peer[1], **conditions)
        figure("talkover_recall", result["talkover_recall"], "%", peer[2], peer[2], **conditions)
    dead = result["dead_air"]
    figure("dead_air_found", dead["found"], f"of {dead['of']}", dead["of"], None, **conditions)
    figure("dead_air_false", len(dead["false"]), "alerts", 0, None, delay_s=dead["delay_s"], **conditions)
    figure("analysis_cpu", round(1000 * spent / truth["duration"], 2), "ms per call-second", None, None, **conditions)


if __name__ == "__main__":
    main()
