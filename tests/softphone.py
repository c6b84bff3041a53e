"""A small telephone over real UDP sockets: SIP by plain text, RTP by struct, no part of the code under test."""

from __future__ import annotations

import asyncio
import itertools
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

_COUNT = itertools.count(1)
T1 = 0.5
"""Seconds before the first retransmission (RFC 3261, 17.1.1.1)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One RTP packet as it arrived."""

    seq: int
    timestamp: int
    payload_type: int
    ssrc: int
    payload: bytes


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._take(data, (addr[0], addr[1]))


async def _open(host: str, port: int, take: Callable[[bytes, tuple[str, int]], None]) -> asyncio.DatagramTransport:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Socket(take), local_addr=(host, port))
    return transport


def header(message: str, name: str) -> str:
    """Return the first value of a header, or ""."""
    match = re.search(rf"^{name}\s*:\s*(.*?)\r?$", message, re.IGNORECASE | re.MULTILINE)
    return match[1] if match else ""


def _record_routes(message: str) -> list[str]:
    rows = re.findall(r"^Record-Route\s*:\s*(.*?)\r?$", message, re.IGNORECASE | re.MULTILINE)
    return [one.strip() for row in rows for one in row.split(",")]


@dataclass
class Call:
    """One dialog of a phone."""

    phone: Softphone
    call_id: str
    local: str
    remote: str
    target: str
    cseq: int = 1
    media: tuple[str, int] | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    last_body: str = ""
    routes: list[str] = field(default_factory=list)

    async def bye(self) -> str:
        """Hang up and return the answer's status line."""
        answer = await self.phone.request(self, "BYE")
        self.ended.set()
        return answer.partition("\r\n")[0]

    async def reinvite(self, direction: str) -> str:
        """Send a new offer with this direction and return the answer."""
        answer = await self.phone.request(self, "INVITE", self.phone.sdp(direction))
        self.phone.acknowledge(self, answer)
        return answer


class Softphone:
    """One phone with one RTP socket."""

    def __init__(self, host: str, sip_port: int, rtp_port: int, server: tuple[str, int], user: str = "phone") -> None:
        self.host = host
        self.sip_port = sip_port
        self.rtp_port = rtp_port
        self.user = user
        self.heard: list[Heard] = []
        self.calls: dict[str, Call] = {}
        self.rang = asyncio.Event()
        self.requests: list[str] = []
        self.said = 0
        self._server = server
        self._answers: dict[tuple[str, str], asyncio.Future[str]] = {}
        self._replies: dict[tuple[str, str], bytes] = {}
        self._seq = itertools.count(1000 * next(_COUNT))
        self._version = itertools.count(1)
        self.ssrc = 0x1000 + rtp_port

    async def __aenter__(self) -> Self:
        self._sip = await _open(self.host, self.sip_port, self._on_sip)
        self._rtp = await _open(self.host, self.rtp_port, self._on_rtp)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sip.close()
        self._rtp.close()

    def sdp(self, direction: str = "sendrecv") -> str:
        """Return a description of this phone."""
        rows = [
            "v=0", f"o=- {self.rtp_port} {next(self._version)} IN IP4 {self.host}", "s=-",
            f"c=IN IP4 {self.host}", "t=0 0", f"m=audio {self.rtp_port} RTP/AVP 0 101",
            "a=rtpmap:101 telephone-event/8000", f"a={direction}",
        ]  # fmt: skip
        return "".join(row + "\r\n" for row in rows)

    async def call(self, uri: str, extra: str = "") -> Call:
        """Place a call through the server; returns once it is answered."""
        number = next(_COUNT)
        tag = f"<sip:{self.user}@{self.host}:{self.sip_port}>;tag=t{number}"
        call = Call(self, f"c{number}-{self.sip_port}", tag, f"<{uri}>", uri)
        self.calls[call.call_id] = call
        answer = await self.request(call, "INVITE", self.sdp(), extra)
        assert answer.startswith("SIP/2.0 200"), answer
        call.remote = header(answer, "To")
        contact = re.search(r"<([^>]+)>", header(answer, "Contact"))
        call.target = contact[1] if contact else uri
        call.routes = _record_routes(answer)[::-1]
        self._learn_media(call, answer)
        self.acknowledge(call, answer)
        return call

    def acknowledge(self, call: Call, answer: str) -> None:
        """Send the ACK to a 2xx."""
        number = header(answer, "CSeq").split()[0]
        self._send(self._message(call, "ACK", f"ack{next(_COUNT)}", int(number), "", ""))

    async def request(self, call: Call, method: str, body: str = "", extra: str = "") -> str:
        """Send a request, repeat it as RFC 3261 says, and return the final answer."""
        number = call.cseq
        call.cseq += 1
        branch = f"b{next(_COUNT)}"
        message = self._message(call, method, branch, number, body, extra)
        future = asyncio.get_running_loop().create_future()
        self._answers[call.call_id, f"{number} {method}"] = future
        pause = T1
        for _ in range(7):
            self._send(message)
            try:
                return await asyncio.wait_for(asyncio.shield(future), pause)
            except TimeoutError:
                pause = min(2 * pause, 4.0)
        raise TimeoutError(f"no answer to {method}")

    def speak(self, call: Call, payload: bytes, timestamp: int, payload_type: int = 0) -> None:
        """Send one RTP packet where the far end asked for it."""
        assert call.media is not None
        head = struct.pack(">BBHII", 0x80, payload_type, next(self._seq) & 0xFFFF, timestamp & 0xFFFFFFFF, self.ssrc)
        self._rtp.sendto(head + payload, call.media)

    async def talk(self, call: Call, payloads: Sequence[bytes]) -> None:
        """Say these 20 ms payloads over and over, in real time, until cancelled; `said` counts the packets."""
        clock = asyncio.get_running_loop().time
        began = clock()
        for number in itertools.count():
            self.speak(call, payloads[number % len(payloads)], 160 * number)
            self.said += 1
            await asyncio.sleep(max(0.0, began + 0.02 * (number + 1) - clock()))

    def _message(self, call: Call, method: str, branch: str, number: int, body: str, extra: str) -> str:
        rows = [
            f"{method} {call.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.sip_port};branch=z9hG4bK{branch};rport", "Max-Forwards: 70",
            f"From: {call.local}", f"To: {call.remote}", f"Call-ID: {call.call_id}", f"CSeq: {number} {method}",
            f"Contact: <sip:{self.user}@{self.host}:{self.sip_port}>", *([extra] if extra else []),
            *(f"Route: {route}" for route in call.routes),
            *(["Content-Type: application/sdp"] if body else []), f"Content-Length: {len(body)}", "", body,
        ]  # fmt: skip
        return "\r\n".join(rows)

    def _send(self, message: str) -> None:
        self._sip.sendto(message.encode(), self._server)

    def _on_rtp(self, data: bytes, _: tuple[str, int]) -> None:
        if len(data) >= 12:
            _, second, seq, timestamp, ssrc = struct.unpack_from(">BBHII", data)
            self.heard.append(Heard(seq, timestamp, second & 0x7F, ssrc, data[12:]))

    def _on_sip(self, data: bytes, source: tuple[str, int]) -> None:
        message = data.decode("utf-8", "replace")
        key = (header(message, "Call-ID"), header(message, "CSeq"))
        if message.startswith("SIP/2.0"):
            future = self._answers.get(key)
            if future is not None and not future.done() and not message.startswith("SIP/2.0 1"):
                future.set_result(message)
            return
        if key in self._replies:
            self._sip.sendto(self._replies[key], source)
            return
        self._on_request(message, key, source)

    def _on_request(self, message: str, key: tuple[str, str], source: tuple[str, int]) -> None:
        method = message.partition(" ")[0]
        self.requests.append(message)
        body = ""
        if method == "INVITE":
            call = self.calls.get(key[0]) or self._incoming(message, key[0])
            direction = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)\r?$", message, re.MULTILINE)
            answers = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
            self._learn_media(call, message)
            body = self.sdp(answers.get(direction[1] if direction else "", "sendrecv"))
            self.rang.set()
        elif method == "BYE" and key[0] in self.calls:
            self.calls[key[0]].ended.set()
        elif method == "ACK":
            return
        self._replies[key] = self._reply(message, key[0], body)
        self._sip.sendto(self._replies[key], source)

    def _reply(self, message: str, call_id: str, body: str) -> bytes:
        vias = re.findall(r"^Via\s*:.*?(?=\r?$)", message, re.IGNORECASE | re.MULTILINE)
        call = self.calls.get(call_id)
        to = call.local if call is not None else header(message, "To")
        rows = [
            "SIP/2.0 200 OK", *vias, *(f"Record-Route: {one}" for one in _record_routes(message)),
            f"From: {header(message, 'From')}", f"To: {to}", f"Call-ID: {call_id}",
            f"CSeq: {header(message, 'CSeq')}", f"Contact: <sip:{self.user}@{self.host}:{self.sip_port}>",
            *(["Content-Type: application/sdp"] if body else []), f"Content-Length: {len(body)}", "", body,
        ]  # fmt: skip
        return "\r\n".join(rows).encode()

    def _incoming(self, message: str, call_id: str) -> Call:
        contact = re.search(r"<([^>]+)>", header(message, "Contact"))
        local = f"{header(message, 'To')};tag=u{next(_COUNT)}"
        call = Call(self, call_id, local, header(message, "From"), contact[1] if contact else "")
        call.routes = _record_routes(message)
        self.calls[call_id] = call
        return call

    def _learn_media(self, call: Call, message: str) -> None:
        address = re.search(r"^c=IN IP4 (\S+?)\r?$", message, re.MULTILINE)
        port = re.search(r"^m=audio (\d+)", message, re.MULTILINE)
        call.last_body = message.partition("\r\n\r\n")[2]
        if address and port:
            call.media = (address[1], int(port[1]))
