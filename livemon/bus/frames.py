"""Frames between the local hub and its clients: a 4-byte length, then one msgpack array with a tag."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from livemon.bus.port import MAX_BODY

MAX_FRAME = MAX_BODY
"""Bytes of one frame, its envelope included."""

_LENGTH = struct.Struct(">I")


class Subscribe(msgspec.Struct, frozen=True, array_like=True, tag="sub"):
    """Client to hub: `sub` (the client's own number) wants topics with this prefix."""

    sub: int
    prefix: str


class Unsubscribe(msgspec.Struct, frozen=True, array_like=True, tag="unsub"):
    """Client to hub: `sub` has ended."""

    sub: int


class Publish(msgspec.Struct, frozen=True, array_like=True, tag="pub"):
    """Client to hub: a message for everybody who wants it."""

    topic: str
    body: bytes
    retain: bool


class Serve(msgspec.Struct, frozen=True, array_like=True, tag="serve"):
    """Client to hub: requests for `target` come here."""

    target: str


class Ask(msgspec.Struct, frozen=True, array_like=True, tag="ask"):
    """Client to hub: a request; `id` is the asker's own number, `timeout` in seconds."""

    id: int
    target: str
    method: str
    body: bytes
    timeout: float


class Call(msgspec.Struct, frozen=True, array_like=True, tag="call"):
    """Hub to client: a request to answer; `id` is the hub's number."""

    id: int
    target: str
    method: str
    body: bytes


class Answer(msgspec.Struct, frozen=True, array_like=True, tag="ans"):
    """Either way: the answer to `id`."""

    id: int
    body: bytes


class Failure(msgspec.Struct, frozen=True, array_like=True, tag="err"):
    """Either way: `id` failed with the stable error id `error`."""

    id: int
    error: str
    text: str


class Deliver(msgspec.Struct, frozen=True, array_like=True, tag="msg"):
    """Hub to client: a message for these subscriptions of the client."""

    subs: tuple[int, ...]
    topic: str
    body: bytes


ToHub = Subscribe | Unsubscribe | Publish | Serve | Ask | Answer | Failure
ToClient = Call | Answer | Failure | Deliver
Frame = Subscribe | Unsubscribe | Publish | Serve | Ask | Call | Answer | Failure | Deliver


@dataclass(frozen=True, slots=True)
class BadFrame:
    """Why bytes were refused; the connection cannot go on after it."""

    reason: str


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def encode(frame: Frame) -> bytes | BadFrame:
    """Return the bytes of `frame` with their length in front, or why it cannot be sent."""
    body = _encoder.encode(frame)
    if len(body) > MAX_FRAME:
        return BadFrame(f"{len(body)} bytes are more than {MAX_FRAME}")
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Cuts a byte stream into frames; after a `BadFrame` it yields nothing more."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._broken = False

    def feed(self, data: bytes) -> Iterator[Frame | BadFrame]:
        """Yield the frames that are complete with `data`."""
        self._buffer += data
        while not self._broken and (item := self._next()) is not None:
            self._broken = isinstance(item, BadFrame)
            yield item

    def _next(self) -> Frame | BadFrame | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > MAX_FRAME:
            return BadFrame(f"{length} bytes are more than {MAX_FRAME}")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        try:
            return _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return BadFrame(str(error))
