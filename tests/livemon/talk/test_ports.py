from __future__ import annotations

from typing import get_args

from livemon.talk.call import _SIGNALS
from livemon.talk.causes import PRIORITY
from livemon.talk.engine import TalkEngine
from livemon.talk.ports import Cause, Signal, TalkAnalysis


def test_the_engine_is_the_analysis_the_node_is_promised() -> None:
    analysis: TalkAnalysis = TalkEngine()
    assert analysis.drain() == []


def test_every_signal_is_handled_and_every_cause_has_a_rank() -> None:
    assert set(_SIGNALS) == set(get_args(Signal))
    assert {*PRIORITY, "unexplained"} == set(get_args(Cause))
