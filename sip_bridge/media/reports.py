"""RTCP towards one phone: ours begins and ends here, theirs is read and never sent on (RFC 3550, 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from . import rtcp
from .commands import Address
from .g711 import RATE
from .leg import Leg
from .outbound import Outbound, Send
from .rtp import M32

INTERVAL_NS: Final = 5_000_000_000
"""Mean time between reports: the least that RFC 3550, 6.2 allows."""


class Reporter:
    """The reports of one leg."""

    def __init__(self, rtp: Send, rtcp_send: Send, cname: bytes, entropy: Callable[[int], bytes], now: int) -> None:
        self._rtp = rtp
        self._rtcp = rtcp_send
        self._cname = cname
        self._entropy = entropy
        self._due = now + self._interval() // 2  # RFC 3550, 6.2: half as long before the first
        self._last_sr = 0
        self._last_sr_ns = 0
        self._expected = 0
        self._received = 0
        self._packets = 0
        self.foreign = self.malformed = self.taken = self.sent = 0
        self.fraction = self.lost = self.jitter = self.round_trip_us = 0
        """What the phone last said of our stream: loss in 1/256, packets lost, jitter in units, round trip."""

    def take(self, leg: Leg, out: Outbound, data: bytes, source: Address, utc_ns: int, now: int) -> None:
        """Read the phone's report."""
        if source != leg.rtcp_source:
            self.foreign += 1
            return
        report = rtcp.parse(data)
        if isinstance(report, rtcp.BadRtcp):
            self.malformed += 1
            return
        self.taken += 1
        if report.sender is not None:
            self._last_sr = report.sender.ntp >> 16 & M32
            self._last_sr_ns = now
        for block in report.blocks:
            if block.ssrc == out.ssrc:
                self.fraction, self.lost, self.jitter = block.fraction, block.lost, block.jitter
                if block.lsr:
                    # RFC 3550, 6.4.1: A - LSR - DLSR, in 1/65536 s.
                    trip = (rtcp.ntp_time(utc_ns) >> 16) - block.lsr - block.dlsr & M32
                    self.round_trip_us = trip * 1_000_000 >> 16 if trip < 1 << 31 else 0

    def give(self, leg: Leg, out: Outbound, utc_ns: int, now: int) -> None:
        """Send a report if one is due and there is anything to report."""
        if now >= self._due:
            self._due = now + self._interval()
            self._send(leg, out, utc_ns, now, goodbye=False)

    def goodbye(self, leg: Leg, out: Outbound, utc_ns: int, now: int) -> None:
        """Leave (RFC 3550, 6.3.7); a participant that has never sent a report goes without a word."""
        if self.sent:
            self._send(leg, out, utc_ns, now, goodbye=True)

    def figures(self) -> dict[str, int]:
        """Return what is known of our stream at the phone."""
        return {
            "rtcp_in": self.taken,
            "rtcp_out": self.sent,
            "rtcp_foreign": self.foreign,
            "rtcp_malformed": self.malformed,
            "remote_fraction_lost": self.fraction,
            "remote_lost": self.lost,
            "remote_jitter": self.jitter,
            "round_trip_us": self.round_trip_us,
        }

    def _send(self, leg: Leg, out: Outbound, utc_ns: int, now: int, *, goodbye: bool) -> None:
        address = leg.rtcp_source
        if address is None or not (out.packets or leg.packets):
            return
        report = rtcp.Report(out.ssrc, self._sender(out, utc_ns, now), self._blocks(leg, now), goodbye)
        send = self._rtp if address == leg.source else self._rtcp
        try:
            send(rtcp.build(report, self._cname), address)
        except OSError:
            out.failed += 1
            return
        self.sent += 1

    def _sender(self, out: Outbound, utc_ns: int, now: int) -> rtcp.Sender | None:
        # RFC 3550, 6.4: a sender report only if packets went out since the last one.
        if out.packets == self._packets:
            return None
        self._packets = out.packets
        timestamp = out.timestamp + (now - out.last_ns) * RATE // 1_000_000_000 & M32
        return rtcp.Sender(rtcp.ntp_time(utc_ns), timestamp, out.packets, out.octets)

    def _blocks(self, leg: Leg, now: int) -> tuple[rtcp.Block, ...]:
        if leg.ssrc is None:
            return ()
        expected, received = leg.expected - self._expected, leg.packets - self._received
        self._expected, self._received = leg.expected, leg.packets
        # RFC 3550, A.3.
        fraction = (expected - received) * 256 // expected if expected > received else 0
        delay = (now - self._last_sr_ns) * 65536 // 1_000_000_000 if self._last_sr else 0
        lost = leg.expected - leg.packets
        block = rtcp.Block(
            leg.ssrc, min(255, fraction), lost, leg.highest & M32, leg.jitter >> 4, self._last_sr, delay & M32
        )
        return (block,)

    def _interval(self) -> int:
        """Return a time between half and one and a half of the interval, so that reports do not meet (6.3.1)."""
        return INTERVAL_NS // 2 + INTERVAL_NS * self._entropy(1)[0] // 256
