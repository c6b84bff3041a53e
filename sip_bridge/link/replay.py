"""The bridge's memory of the last seconds of the tap, and what of it a returning node is sent again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from sip_bridge.link.wire import frame_ticks

SECONDS: Final = 6.0
"""How far back a node may ask: it is restarted within 3 s, and the timeline needs a few seconds before that."""
MAX_BYTES: Final = 64 << 20
"""Upper bound whatever the load: 6 s of 1000 calls are 114 MB of frames at full rate, and a small host has less."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One frame and when it came, in monotonic seconds."""

    at: float
    tick: int
    frame: bytes


class ReplayRing:
    """The frames of the last seconds, bounded in time and bytes; ticks rise within one epoch."""

    def __init__(self, seconds: float = SECONDS, max_bytes: int = MAX_BYTES) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._kept: deque[Kept] = deque()
        self._epoch = -1
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def oldest_tick(self) -> int:
        """The tick of the oldest frame held, 0 when there is none."""
        return self._kept[0].tick if self._kept else 0

    @property
    def newest_tick(self) -> int:
        """The tick of the newest frame held, 0 when there is none."""
        return self._kept[-1].tick if self._kept else 0

    def add(self, frame: bytes, now: float) -> bool:
        """Keep `frame`; False if it is no tap frame. A new epoch (the media process restarted) empties the ring."""
        ticks = frame_ticks(frame)
        if ticks is None:
            return False
        epoch, tick, _ = ticks
        if epoch != self._epoch:
            self._epoch = epoch
            self._kept.clear()
            self.bytes = 0
        self._kept.append(Kept(now, tick, frame))
        self.bytes += len(frame)
        self._shrink(now)
        return True

    def after(self, tick: int | None) -> list[bytes]:
        """Return the frames after `tick`, oldest first; None asks for nothing."""
        return [] if tick is None else [kept.frame for kept in self._kept if kept.tick > tick]

    def _shrink(self, now: float) -> None:
        while self._kept and (self.bytes > self._max_bytes or self._kept[0].at < now - self._seconds):
            self.bytes -= len(self._kept.popleft().frame)
