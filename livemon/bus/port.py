"""What every bus can do, whatever carries it.

A bus is best effort for topics (a slow subscriber loses the oldest messages and is told how many) and
answer-or-error for requests. Nothing on it may be the only copy of anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple, Protocol

Handler = Callable[[str, bytes], Awaitable[bytes]]
"""Answers `(method, body)` with a body; raises `Refused` or `RemoteError` to answer with a stable error id."""

MAX_BODY = 4 * 1024 * 1024
"""Bytes of one message body: a full state of 1000 calls is about 1.5 MiB, and twice that must still pass."""


class Message(NamedTuple):
    """One published message."""

    topic: str
    body: bytes


class Subscription(Protocol):
    """A bounded stream of messages; the oldest is dropped when the reader is too slow."""

    @property
    def dropped(self) -> int:
        """Messages this reader lost since it subscribed."""

    def __aiter__(self) -> AsyncIterator[Message]:
        """Iterate until `close`."""

    async def get(self) -> Message:
        """Return the next message; raises StopAsyncIteration after `close`."""

    def close(self) -> None:
        """End the stream; the iterator stops."""


class Bus(Protocol):
    """Topics and requests between the processes of livemon."""

    @property
    def connected(self) -> bool:
        """Whether messages can leave right now."""

    def publish(self, topic: str, body: bytes, retain: bool = False) -> None:
        """Send `body` to every subscriber of a prefix of `topic`; never waits.

        A retained message is also given to later subscribers, until a newer one of the same topic replaces it.
        What is published while the bus is away is dropped, except that the last retained one goes out on return.
        """

    def subscribe(self, prefix: str, limit: int = 1024) -> Subscription:
        """Return the messages whose topic starts with `prefix`, at most `limit` waiting."""

    async def request(self, target: str, method: str, body: bytes, timeout: float = 5.0) -> bytes:
        """Return the answer of `target`.

        Raises:
            BusTimeout: no answer within `timeout` seconds.
            RemoteError: the target answered with an error, or nobody serves it (`no_such_target`).
            BusError: the bus is away.
        """

    def serve(self, target: str, handler: Handler) -> None:
        """Answer the requests for `target`; the newest server of a name wins."""

    async def close(self) -> None:
        """Leave the bus: subscriptions end, requests fail."""
