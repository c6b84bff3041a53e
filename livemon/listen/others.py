"""The 20 ms clock of the third slot; it runs only while a coach or a third party is heard by somebody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from livemon.listen.live import OTHERS, LiveSession

MIX_S: Final = 0.02


class OthersClock:
    """Sends the mix of every session, 20 ms at a time."""

    def __init__(self, sessions: Callable[[], Collection[LiveSession]]) -> None:
        self._sessions = sessions
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Run until all mixers are idle."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            for live in self._sessions():
                if live.transport is not None:
                    live.transport.cut(OTHERS)
            due = loop.time() + MIX_S
            self._timer = loop.call_at(due, self._mix, due)

    def stop(self) -> None:
        """Stop at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def spoken(self, speaker: LiveSession, samples: bytes) -> None:
        """Let everybody else on the speaker's call hear the coach; nobody hears their own voice."""
        for live in self._sessions():
            if live is not speaker and live.call.id == speaker.call.id and live.core.hearing:
                live.mix(f"coach:{speaker.id}", samples)

    def _mix(self, due: float) -> None:
        more = [live.send_mix(int(due * 1e6)) for live in self._sessions()]
        # From the time that was due, not from now: a late turn does not slow the stream down.
        due += MIX_S
        self._timer = asyncio.get_running_loop().call_at(due, self._mix, due) if any(more) else None
