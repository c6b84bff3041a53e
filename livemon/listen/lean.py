"""One browser's DTLS-SRTP transport: aiortc's DTLS and SRTP, and nothing else of it.

aiortc's own sender (a task and an encoder per track), receiver (80 ms of prefetch, 300 ms after one lost packet) and
ICE stack (a socket per peer, no guard against strangers) are not used: a leg's payload goes to SRTP and the socket in
the call that delivers it, and a microphone packet comes out in the turn of the loop that received it.
The names of aiortc that are relied on are held by `tests/livemon/listen/test_contract.py`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import pylibsrtp
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

from livemon.errors import Refused
from livemon.listen import rtp
from livemon.listen.icelite import Address, IceAgent
from livemon.listen.offer import Local, Offer, answer, slot_codecs
from livemon.listen.udp import UdpPort
from sip_bridge.link.wire import FLAG_COMFORT_NOISE, FLAG_DTMF, TapPacket

log = logging.getLogger(__name__)

_INBOX: Final = 32
"""DTLS datagrams waiting; a whole handshake flight is at most 8."""
_HANDSHAKE_S: Final = 8.0
"""Three retransmissions of a flight (RFC 6347, 4.2.4.1: 1, 2 and 4 s) and the answer."""
_NTP_EPOCH: Final = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 3550, 4)."""

MicPacket = Callable[[rtp.RtpPacket, str], None]


class _Path:
    """What `RTCDtlsTransport` needs of an ICE transport: `_recv`, `_send` and `role`."""

    role = "controlled"

    def __init__(self, udp: UdpPort) -> None:
        self._udp = udp
        self._inbox: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self.selected: Address | None = None
        self.ready = asyncio.Event()
        self.closed = False

    def put(self, data: bytes) -> None:
        if len(self._inbox) < _INBOX:
            self._inbox.append(data)
            self._arrived.set()
        else:
            self._udp.mux.counters.refuse("inbox_full")

    def close(self) -> None:
        self.closed = True
        self.selected = None
        self.ready.set()
        self._arrived.set()

    async def _recv(self) -> bytes:
        while not self._inbox:
            if self.closed:
                raise ConnectionError("closed")
            self._arrived.clear()
            await self._arrived.wait()
        return self._inbox.popleft()

    async def _send(self, data: bytes) -> None:
        if self.closed or self.selected is None:
            raise ConnectionError("no path")
        self._udp.send(data, self.selected)


class LeanSender:
    """One slot towards the browser; payloads pass untouched, the time line stays continuous over hops."""

    def __init__(self, peer: Peer, payload_types: dict[str, int]) -> None:
        self._peer = peer
        self._types = payload_types
        self.ssrc = secrets.randbits(32)
        # RFC 3550, 5.1: both begin at random; 15 bits of sequence keep SRTP's roll-over counter at zero at first.
        self._timeline = rtp.Timeline(secrets.randbits(15), secrets.randbits(32))
        self._last_ts = 0
        self.packets = 0
        self.octets = 0
        self.report: rtp.ReceiverBlock | None = None

    @property
    def codecs(self) -> frozenset[str]:
        """The codecs the browser takes in this slot."""
        return frozenset(self._types)

    def cut(self) -> None:
        """End the source; the next packet begins a new one behind it."""
        self._timeline.cut()

    def forward(self, packet: TapPacket, codec: str) -> bool:
        """Send a tapped packet of `codec`; events, comfort noise and unknown codecs are left out without a hole."""
        payload_type = self._types.get(codec)
        if payload_type is None or packet.flags & (FLAG_DTMF | FLAG_COMFORT_NOISE):
            self._timeline.leave_out(packet.seq)
            return False
        seq, ts, fresh = self._timeline.place(packet.seq, packet.rtp_ts, packet.arrival_us, rtp.CLOCKS[codec])
        head = rtp.header(payload_type, packet.marker or fresh, seq, ts, self.ssrc)
        if not self._peer.send_rtp(head + packet.payload):
            return False
        self._last_ts = ts
        self.packets += 1
        self.octets += len(packet.payload)
        return True

    def sender_report(self, ntp: int, cname: bytes) -> bytes:
        """Return the RTCP compound of this slot, or b"" before its first packet."""
        if not self.packets:
            return b""
        return rtp.sender_report(self.ssrc, ntp, self._last_ts, self.packets, self.octets, cname)


class Peer:
    """One browser: its ICE agent, its DTLS transport, three slots towards it and its microphone."""

    kind: Final = "webrtc"

    def __init__(
        self,
        udp: UdpPort,
        offer: Offer,
        certificate: RTCCertificate,
        on_mic: MicPacket,
        on_closed: Callable[[str], None],
    ) -> None:
        self._udp = udp
        self._offer = offer
        self._fingerprint = certificate.getFingerprints()[0].value
        self._on_mic = on_mic
        self._on_closed = on_closed
        self._cname = secrets.token_hex(8)
        self._path = _Path(udp)
        self._agent: IceAgent = udp.open(self)
        self._dtls = RTCDtlsTransport(self._path, [certificate])  # type: ignore[arg-type]
        self._dtls._set_role("client")
        self._dtls.on("statechange", self._on_dtls_state)
        self._srtp: pylibsrtp.Session | None = None
        self._mic_codecs = {number: codec for codec, number in slot_codecs(offer.slots[0]).items()}
        self.senders: Sequence[LeanSender] = [LeanSender(self, slot_codecs(line)) for line in offer.slots]

    @property
    def connected(self) -> bool:
        """Whether audio can flow."""
        return self._srtp is not None and not self._path.closed

    def forward(self, slot: int, packet: TapPacket, codec: str) -> bool:
        """Send a tapped packet in `slot`; False when it was not sent."""
        return slot < len(self.senders) and self.senders[slot].forward(packet, codec)

    def cut(self, slot: int) -> None:
        """End the source of `slot`; the next packet there begins a new one."""
        if slot < len(self.senders):
            self.senders[slot].cut()

    def answer(self) -> str:
        """Return the SDP answer to the newest offer."""
        agent = self._agent
        ssrcs = [sender.ssrc for sender in self.senders]
        local = Local(
            agent.ufrag,
            agent.password,
            self._fingerprint,
            self._udp.advertise,
            self._udp.port,
            self._cname,
            ssrcs,
        )
        return answer(self._offer, local)

    def restart(self, offer: Offer) -> str:
        """Answer a new offer on the same connection; a new user name fragment is an ICE restart (RFC 8445, 2.4)."""
        if offer.fingerprints != self._offer.fingerprints or len(offer.slots) != len(self.senders):
            raise Refused("bad_sdp", "The new offer belongs to another connection.", 422)
        if [slot_codecs(line) for line in offer.slots] != [slot_codecs(line) for line in self._offer.slots]:
            raise Refused("bad_sdp", "The new offer changes the payload types.", 422)
        if offer.ufrag != self._offer.ufrag:
            self._udp.mux.restart(self._agent)
        self._offer = offer
        return self.answer()

    async def connect(self, joins: asyncio.Semaphore) -> bool:
        """Wait for the browser's first check, then shake hands, at most as many at once as `joins` allows."""
        await self._path.ready.wait()
        parameters = RTCDtlsParameters([RTCDtlsFingerprint(a, value) for a, value in self._offer.fingerprints])
        async with joins:
            if self._path.closed:
                return False
            try:
                async with asyncio.timeout(_HANDSHAKE_S):
                    await self._dtls.start(parameters)
            except TimeoutError:
                log.info("DTLS handshake not finished in %.0f s", _HANDSHAKE_S)
        if self._dtls.state != "connected":
            return False
        self._srtp = self._dtls._rx_srtp
        self._protect = self._dtls._tx_srtp.protect
        return True

    async def close(self) -> None:
        """Say goodbye to the browser and forget it."""
        if self._path.closed:
            return
        self._dtls.remove_all_listeners()
        await self._dtls.stop()
        self._path.close()
        self._udp.mux.close(self._agent)

    def send_rtp(self, packet: bytes) -> bool:
        """Encrypt and send one RTP packet; returns False when there is no connection or no room."""
        address = self._path.selected
        if self._srtp is None or address is None:
            return False
        return self._udp.send(self._protect(packet), address)

    def send_reports(self) -> None:
        """Send a sender report per slot that has sent something; called every few seconds."""
        if not self.connected or self._path.selected is None:
            return
        ntp = int((datetime.now(UTC).timestamp() + _NTP_EPOCH) * (1 << 32))
        for sender in self.senders:
            report = sender.sender_report(ntp, self._cname.encode())
            if report:
                self._udp.send(self._dtls._tx_srtp.protect_rtcp(report), self._path.selected)

    def on_datagram(self, data: bytes) -> None:
        """Take a datagram from a validated address: media at once, DTLS through the inbox."""
        if data[0] < 128:
            self._path.put(data)
        elif self._srtp is not None:
            self._on_media(data, self._srtp)

    def on_selected(self, address: Address) -> None:
        """Send to `address` from now on."""
        self._path.selected = address
        self._path.ready.set()

    def on_dead(self) -> None:
        """Close, because the browser has stopped checking (RFC 7675)."""
        self._end("consent_lost")

    def _on_media(self, data: bytes, srtp: pylibsrtp.Session) -> None:
        try:
            if rtp.is_rtcp(data):
                self._on_rtcp(srtp.unprotect_rtcp(data))
                return
            packet = rtp.parse(srtp.unprotect(data))
        except pylibsrtp.Error:
            # RFC 3711, 3.3: a packet that fails authentication or replays an old one is dropped.
            self._udp.mux.counters.refuse("srtp")
            return
        codec = None if packet is None else self._mic_codecs.get(packet.payload_type)
        if packet is None or codec is None:
            self._udp.mux.counters.refuse("mic_payload_type")
            return
        self._on_mic(packet, codec)

    def _on_rtcp(self, data: bytes) -> None:
        for block in rtp.receiver_blocks(data):
            for sender in self.senders:
                if sender.ssrc == block.ssrc:
                    sender.report = block

    def _on_dtls_state(self) -> None:
        if self._dtls.state == "closed":
            self._end("browser_closed")

    def _end(self, reason: str) -> None:
        if not self._path.closed:
            self._path.close()
            self._udp.mux.close(self._agent)
            self._on_closed(reason)
