"""The sound of one simulated phone: what it says, packet by packet, and what it hears, measured.

Both phones of a call live in one process, so what one hears can be held against what the other said, packet by
packet: audio at the customer's ear that did not come from the agent's phone would show at once.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable

import numpy as np

from livemon.demo.track import RATE, Samples

FRAME = RATE // 50
"""Samples of one packet: 20 ms, the ptime every phone uses (RFC 3551, 4.2)."""
FRAME_S = FRAME / RATE
SILENCE_DBFS = -96.0
# How long a meter looks back: half a second, so that a word moves it.
METER_PACKETS = 25
# How long a spoken packet is remembered: far longer than any delay on the way.
REMEMBERED = 250

_RTP = struct.Struct("!BBHII")

Encode = Callable[[bytes], bytes]
"""Linear int16 (native order) to mu-law, or back."""


def level_dbfs(mean_square: float) -> float:
    """Return the RMS level in dBFS (full scale: a square wave of amplitude 32768)."""
    return max(SILENCE_DBFS, 10.0 * float(np.log10(max(mean_square, 1e-9) / 32768.0**2)))


class Mouth:
    """Cuts a track into RTP packets (PCMU) and remembers the payloads it sent."""

    def __init__(self, track: Samples, encode: Encode, ssrc: int) -> None:
        frames = max(1, len(track) // FRAME)
        self._payloads = [encode(track[n * FRAME : (n + 1) * FRAME].tobytes()) for n in range(frames)]
        self._ssrc = ssrc
        self._next = 0
        self.sent = 0
        """Packets given out so far."""
        self._paused = True
        self.said: deque[bytes] = deque(maxlen=REMEMBERED)

    @property
    def finished(self) -> bool:
        """True when the track has been played to its end."""
        return self._next >= len(self._payloads)

    @property
    def position_s(self) -> float:
        """How much of the track was played, in s."""
        return self._next * FRAME_S

    def packet(self, muted: bool = False) -> bytes | None:
        """Return the packet of the next 20 ms, None when `muted` or at the end of the track."""
        if self.finished:
            return None
        number = self._next
        self._next += 1
        if muted:
            self._paused = True
            return None
        payload = self._payloads[number]
        self.said.append(payload)
        # The marker says: first packet after a pause; sequence numbers count what was sent (RFC 3551, 4.1).
        second = 0x80 if self._paused else 0
        self._paused = False
        sequence = self.sent & 0xFFFF
        self.sent += 1
        return _RTP.pack(0x80, second, sequence, number * FRAME & 0xFFFFFFFF, self._ssrc) + payload


class Ear:
    """Measures what a phone receives."""

    def __init__(self, decode: Encode, other: Mouth | None) -> None:
        self._decode = decode
        self._other = other
        self._squares: deque[float] = deque(maxlen=METER_PACKETS)
        self._foreign_lately: deque[bool] = deque(maxlen=METER_PACKETS)
        self.packets = 0
        self.foreign = 0
        """Packets whose sound is not, byte for byte, what the other phone said."""

    def hear(self, datagram: bytes) -> None:
        """Take in one RTP packet; anything else is ignored."""
        if len(datagram) < _RTP.size + 1 or datagram[0] != 0x80 or datagram[1] & 0x7F != 0:
            return
        payload = datagram[_RTP.size :]
        samples = np.frombuffer(self._decode(payload), dtype=np.int16).astype(np.float64)
        self.packets += 1
        self._squares.append(float(np.mean(samples**2)))
        foreign = self._other is not None and payload not in self._other.said
        self.foreign += foreign
        self._foreign_lately.append(foreign)

    @property
    def dbfs(self) -> float:
        """Level of the last half second in dBFS."""
        return level_dbfs(sum(self._squares) / len(self._squares)) if self._squares else SILENCE_DBFS

    @property
    def hears_another(self) -> bool:
        """True if most of the last half second was not what the other phone said."""
        return sum(self._foreign_lately) * 2 > METER_PACKETS
