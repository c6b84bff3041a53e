"""Cuts a byte stream into SIP messages (RFC 3261, 18.3; RFC 5626, 3.5.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from sip_bridge.message import MAX_MESSAGE

_LENGTH: Final = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,9})[ \t]*\r?$", re.I | re.M)
MAX_HEAD: Final = 32768
"""Bytes of headers on a stream: 128 lines of 256 bytes, an ample mean."""


@dataclass(slots=True)
class Framer:
    """The unread bytes of one connection; `broken` says why it must be closed, '' while it is sound."""

    broken: str = ""
    _buffer: bytearray = field(default_factory=bytearray)
    _searched: int = 0

    @property
    def pending(self) -> bool:
        """Whether part of a message is waiting for the rest."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> tuple[list[bytes], int]:
        """Take in `data`; return the whole messages in it and how many keep-alive pings want a pong."""
        self._buffer += data
        messages: list[bytes] = []
        pongs = 0
        while not self.broken and self._buffer:
            if self._buffer.startswith(b"\r\n"):
                if self._buffer.startswith(b"\r\n\r\n"):
                    pongs += 1
                    del self._buffer[:4]
                elif len(self._buffer) < 4 and b"\r\n\r\n".startswith(self._buffer):
                    break  # may become a ping
                else:
                    del self._buffer[:2]
                continue
            message = self._next()
            if message is None:
                break
            messages.append(message)
        return messages, pongs

    def _next(self) -> bytes | None:
        end = self._buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0:
            self._searched = len(self._buffer)
            if len(self._buffer) > MAX_HEAD:
                self.broken = "headers too long"
            return None
        self._searched = end
        match = _LENGTH.search(self._buffer, 0, end + 1)
        # Without a length the next message cannot be found: hand this one over to be refused, then close.
        size = end + 4 + (int(match.group(1)) if match else 0)
        if match is None or size > MAX_MESSAGE:
            self.broken = "no length" if match is None else "message too long"
            size = end + 4
        if len(self._buffer) < size:
            return None
        message = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._searched = 0
        return message
