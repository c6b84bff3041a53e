"""Supervisor audio added to what one phone is sent."""

from __future__ import annotations

import audioop
from math import sqrt
from typing import Final

from .g711 import WIDTH, Law, dbfs, decode, encode, factor
from .ring import SampleRing
from .rtp import newer

PAUSE_NS: Final = 60_000_000
"""Without samples for 60 ms (three packets) mixing pauses and the carrier passes untouched."""
DUCK_DB: Final = -9.0
"""How far the carrier is lowered while the supervisor speaks: half as loud to the ear, still understood."""

MAX_MISORDER: Final = 100
"""Chunks further behind than this belong to a supervisor who began anew (RFC 3550, A.1)."""


class Voice:
    """One supervisor's audio on its way to one phone."""

    def __init__(self) -> None:
        self.ring = SampleRing()
        self.gain = 1.0
        self.duck = factor(DUCK_DB)
        self._fed_ns = -PAUSE_NS

    def put(self, linear: bytes, now: int) -> None:
        """Take in samples as they came from the supervisor."""
        self.ring.put(linear)
        self._fed_ns = now

    def speaking(self, now: int) -> bool:
        """Tell whether samples wait, or came within the pause."""
        return len(self.ring) > 0 or now - self._fed_ns < PAUSE_NS


class Mixer:
    """The voices of all supervisors who speak into one phone's stream."""

    def __init__(self) -> None:
        self._voices: dict[int, Voice] = {}
        self._newest: dict[int, int] = {}
        self.active = False
        """False as long as the carrier passes untouched."""
        self.samples = 0
        """Supervisor samples really mixed since the leg opened."""
        self._power = 0.0
        self._counted = 0

    def speakers(self, now: int) -> list[int]:
        """Return the sessions that speak now."""
        return [session for session, voice in self._voices.items() if voice.speaking(now)]

    def advance(self, session: int, seq: int) -> bool:
        """Tell whether chunk `seq` is newer than those before it: a copy or a late one would be noise."""
        ahead = newer(seq, self._newest.get(session, seq - 1))
        if -MAX_MISORDER <= ahead <= 0:
            return False
        self._newest[session] = seq
        return True

    def put(self, session: int, linear: bytes, now: int) -> None:
        """Take in samples of one supervisor."""
        self._voice(session).put(linear, now)
        self.active = True

    def tune(self, session: int, gain_db: float, duck_db: float) -> None:
        """Set a supervisor's gain, and how far the carrier is lowered meanwhile, in dB."""
        voice = self._voice(session)
        voice.gain, voice.duck = factor(gain_db), factor(duck_db)

    def silence(self, session: int) -> None:
        """Forget a supervisor's waiting samples: nothing of them is heard any more."""
        self._newest.pop(session, None)
        if self._voices.pop(session, None) is not None:
            self.active = any(len(other.ring) for other in self._voices.values())

    def speaking(self, now: int) -> bool:
        """Tell whether anybody speaks; when nobody does, the mixer goes to rest."""
        self.active = any(voice.speaking(now) for voice in self._voices.values())
        return self.active

    def blend(self, payload: bytes, law: Law, now: int) -> bytes | None:
        """Return `payload` with everybody who speaks mixed in, ducked and saturated; None if nobody speaks."""
        if not self.speaking(now):
            return None
        speakers = [voice for voice in self._voices.values() if voice.speaking(now)]
        linear = audioop.mul(decode(payload, law), WIDTH, min(voice.duck for voice in speakers))
        for voice in speakers:
            linear = audioop.add(linear, self._take(voice, len(payload)), WIDTH)
        return encode(linear, law)

    def level_dbfs(self) -> float:
        """Return the level of what was mixed since the last call, and start anew."""
        level = dbfs(sqrt(self._power / self._counted)) if self._counted else dbfs(0)
        self._power, self._counted = 0.0, 0
        return level

    def _take(self, voice: Voice, samples: int) -> bytes:
        taken = voice.ring.take(samples)
        linear = audioop.mul(taken, WIDTH, voice.gain)
        count = len(taken) // WIDTH
        self.samples += count
        self._counted += count
        self._power += count * audioop.rms(linear, WIDTH) ** 2
        return linear + bytes(WIDTH * (samples - count))

    def _voice(self, session: int) -> Voice:
        return self._voices.setdefault(session, Voice())
