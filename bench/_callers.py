"""Light SIP phones for benchmarks: a caller and a callee that set up calls through the bridge, each message once."""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HOST = "127.0.0.1"
# Loopback loses nothing unless a buffer is full; at this rate none is.
CALLS_A_SECOND = 40
_PORT = re.compile(rb"m=audio (\d+)")


@dataclass
class BenchCall:
    """A call that is up: the bridge's RTP ports towards its two phones."""

    number: int
    caller_port: int = 0
    callee_port: int = 0
    to: bytes = b""
    contact: bytes = b""
    ended: bool = False


class Callers:
    """Two SIP sockets: agents at `near` call customers at `far` through `bridge`."""

    def __init__(self, bridge: int, near: int, far: int, extensions: Sequence[str], rtp: Callable[[int], int]) -> None:
        self._bridge = (HOST, bridge)
        self._extensions = extensions
        self._rtp = rtp
        self._near_port, self._far_port = near, far
        self._selector = selectors.DefaultSelector()
        self._near, self._far = self._socket(near), self._socket(far)
        self.calls: list[BenchCall] = []

    def close(self) -> None:
        self._selector.close()
        self._near.close()
        self._far.close()

    def up_to(self, number: int) -> None:
        """Place calls until `number` are up."""
        while len(self.calls) < number:
            call = BenchCall(len(self.calls))
            self.calls.append(call)
            self._near.sendto(self._invite(call), self._bridge)
            self._serve(time.monotonic() + 1 / CALLS_A_SECOND)
        until = time.monotonic() + 5
        while missing := [call.number for call in self.calls if not (call.caller_port and call.callee_port)]:
            self._serve(time.monotonic() + 0.1)
            if time.monotonic() > until:
                raise TimeoutError(f"{len(missing)} calls did not come up, the first is {missing[0]}")

    def hang_up(self) -> None:
        """End all calls."""
        for call in self.calls:
            self._near.sendto(self._request("BYE", call, 2, call.contact), self._bridge)
            self._serve(time.monotonic() + 1 / CALLS_A_SECOND)
        self._serve(time.monotonic() + 0.5)

    def _socket(self, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((HOST, port))
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ)
        return sock

    def _serve(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                data, source = key.fileobj.recvfrom(65536)  # type: ignore[union-attr]
                if data.startswith(b"SIP/2.0"):
                    self._response(data)
                else:
                    self._requested(key.fileobj, data, source)  # type: ignore[arg-type]

    def _response(self, data: bytes) -> None:
        if not data.startswith(b"SIP/2.0 200") or b"INVITE\r\n" not in data:
            return
        call = self.calls[int(_header(data, b"Call-ID").partition(b"-")[0])]
        call.to, call.contact = _header(data, b"To"), _header(data, b"Contact").strip(b"<>")
        found = _PORT.search(data)
        call.caller_port = int(found[1]) if found else 0
        self._near.sendto(self._request("ACK", call, 1, call.contact), self._bridge)

    def _requested(self, sock: socket.socket, data: bytes, source: tuple[str, int]) -> None:
        method = data.split(b" ", 1)[0]
        if method == b"INVITE":
            # Calls are placed one after the other, and number `n` dials 4930000000 + n.
            number = int(data.split(b"@")[0].rpartition(b"+")[2]) - 4930000000
            found = _PORT.search(data)
            self.calls[number].callee_port = int(found[1]) if found else 0
            sock.sendto(self._answer(data, b"180 Ringing"), source)
            sock.sendto(self._answer(data, b"200 OK", _sdp(self._rtp(2 * number + 1))), source)
        elif method in (b"BYE", b"OPTIONS"):
            sock.sendto(self._answer(data, b"200 OK"), source)

    def _invite(self, call: BenchCall) -> bytes:
        call.to = b"<sip:+%d@127.0.0.1>" % (4930000000 + call.number)
        uri = b"sip:+%d@127.0.0.1:%d" % (4930000000 + call.number, self._bridge[1])
        return self._request("INVITE", call, 1, uri, _sdp(self._rtp(2 * call.number)))

    def _request(self, method: str, call: BenchCall, cseq: int, uri: bytes, body: bytes = b"") -> bytes:
        number, name, near = call.number, method.encode(), self._near_port
        extension = self._extensions[number % len(self._extensions)].encode()
        kind = b"Content-Type: application/sdp\r\n" if body else b""
        return (
            b"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%d%s%d\r\nMax-Forwards: 70\r\n"
            b"From: <sip:%s@127.0.0.1>;tag=a%d\r\nTo: %s\r\nCall-ID: %d-bench\r\nCSeq: %d %s\r\n"
            b"Contact: <sip:%s@127.0.0.1:%d>\r\nX-Queue: orders\r\n%sContent-Length: %d\r\n\r\n%s"
        ) % (
            name, uri, near, number, name, cseq, extension, number, call.to, number, cseq, name, extension, near, kind,
            len(body), body,
        )  # fmt: skip

    def _answer(self, request: bytes, status: bytes, body: bytes = b"") -> bytes:
        head = request.split(b"\r\n\r\n")[0].split(b"\r\n")
        kept = [
            line for line in head if line.lower().startswith((b"via:", b"from:", b"call-id:", b"cseq:", b"record-"))
        ]
        to = _header(request, b"To")
        kept.append(b"To: " + to + (b"" if b"tag=" in to else b";tag=b"))
        kept.append(b"Contact: <sip:customer@127.0.0.1:%d>" % self._far_port)
        if body:
            kept.append(b"Content-Type: application/sdp")
        kept.append(b"Content-Length: %d" % len(body))
        return b"SIP/2.0 " + status + b"\r\n" + b"\r\n".join(kept) + b"\r\n\r\n" + body


def _header(message: bytes, name: bytes) -> bytes:
    found = re.search(rb"^" + name + rb":[ \t]*([^\r\n]*)", message, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else b""


def _sdp(port: int) -> bytes:
    return (
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0 8 101\r\n"
        b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
    ) % port
