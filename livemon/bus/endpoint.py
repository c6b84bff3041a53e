"""One process's end of a frame-carrying bus: everything but the carrying."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod

from livemon.bus.frames import Answer, Ask, Call, Deliver, Failure, Frame, Publish, Serve, Subscribe, Unsubscribe
from livemon.bus.mailbox import Mailbox
from livemon.bus.port import MAX_BODY, Handler, Message
from livemon.errors import BusError, BusTimeout, Refused, RemoteError
from sip_bridge.tasks import Tasks

log = logging.getLogger(__name__)

MAX_HANDLING = 256
"""Requests one process answers at once; beyond it askers are told `busy` instead of waiting in the dark."""


class Endpoint(ABC):
    """A `Bus` on top of `send`; its carrier calls `received`, `attached` and `detached`."""

    def __init__(self, name: str) -> None:
        self._tasks = Tasks(f"bus:{name}")
        self._boxes: dict[int, tuple[str, Mailbox]] = {}
        self._handlers: dict[str, Handler] = {}
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._retained: dict[str, bytes] = {}
        self._next = 0
        self._up = asyncio.Event()
        self._handling = 0
        self.unsent = 0
        """Messages that were published while the bus was away."""

    @abstractmethod
    def send(self, frame: Frame) -> None:
        """Carry `frame` to the hub; never waits."""

    @property
    def connected(self) -> bool:
        """Whether messages can leave right now."""
        return self._up.is_set()

    async def ready(self, timeout: float = 5.0) -> bool:
        """Wait until the bus is there; False after `timeout` seconds."""
        try:
            await asyncio.wait_for(self._up.wait(), timeout)
        except TimeoutError:
            return False
        return True

    def publish(self, topic: str, body: bytes, retain: bool = False) -> None:
        """Send `body` to every subscriber of a prefix of `topic`; never waits."""
        _check_size(body)
        if retain:
            self._retained[topic] = body
        if self.connected:
            self.send(Publish(topic, body, retain))
        else:
            self.unsent += 1

    def subscribe(self, prefix: str, limit: int = 1024) -> Mailbox:
        """Return the messages whose topic starts with `prefix`, at most `limit` waiting."""
        self._next += 1
        number = self._next
        box = Mailbox(limit, lambda: self._unsubscribe(number))
        self._boxes[number] = (prefix, box)
        if self.connected:
            self.send(Subscribe(number, prefix))
        return box

    async def request(self, target: str, method: str, body: bytes, timeout: float = 5.0) -> bytes:
        """Return the answer of `target`, or raise BusTimeout, RemoteError or BusError."""
        _check_size(body)
        self._next += 1
        number = self._next
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout):
                await self._up.wait()
                self._waiting[number] = answer
                self.send(Ask(number, target, method, body, timeout))
                return await answer
        except TimeoutError:
            if not self.connected:
                raise BusError("the bus is away") from None
            raise BusTimeout(f"{target} did not answer {method} within {timeout} s") from None
        finally:
            self._waiting.pop(number, None)

    def serve(self, target: str, handler: Handler) -> None:
        """Answer the requests for `target`."""
        self._handlers[target] = handler
        if self.connected:
            self.send(Serve(target))

    async def close(self) -> None:
        """Leave the bus: subscriptions end, requests fail."""
        self.detached()
        for _, box in list(self._boxes.values()):
            box.close()
        await self._tasks.close()

    def attached(self) -> None:
        """Tell that the hub is there: say again what this process wants, serves and retains."""
        self._up.set()
        for target in self._handlers:
            self.send(Serve(target))
        for number, (prefix, _) in self._boxes.items():
            self.send(Subscribe(number, prefix))
        for topic, body in self._retained.items():
            self.send(Publish(topic, body, True))

    def detached(self) -> None:
        """Tell that the hub is gone: requests in flight fail."""
        self._up.clear()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(BusError("the bus went away"))

    def received(self, frame: Frame) -> None:
        """Take in one frame of the hub."""
        match frame:
            case Deliver(subs, topic, body):
                for number in subs:
                    if (entry := self._boxes.get(number)) is not None:
                        entry[1].put(Message(topic, body))
            case Call():
                self._call(frame)
            case Answer(id_, body):
                if (answer := self._waiting.get(id_)) is not None and not answer.done():
                    answer.set_result(body)
            case Failure(id_, error, text):
                if (answer := self._waiting.get(id_)) is not None and not answer.done():
                    answer.set_exception(_failure(error, text))
            case _:
                pass  # a hub sends nothing else

    def _unsubscribe(self, number: int) -> None:
        self._boxes.pop(number, None)
        if self.connected:
            self.send(Unsubscribe(number))

    def _call(self, call: Call) -> None:
        handler = self._handlers.get(call.target)
        if handler is None:
            self.send(Failure(call.id, "no_such_target", f"nobody answers for {call.target}"))
        elif self._handling >= MAX_HANDLING:
            self.send(Failure(call.id, "busy", f"{call.target} answers {MAX_HANDLING} requests already"))
        else:
            self._handling += 1
            self._tasks.start(self._handle(handler, call), f"{call.target}.{call.method}")

    async def _handle(self, handler: Handler, call: Call) -> None:
        try:
            result: Answer | Failure = Answer(call.id, await handler(call.method, call.body))
        except (Refused, RemoteError) as error:
            result = Failure(call.id, error.id, error.text)
        except Exception:
            log.exception("%s failed to answer %s", call.target, call.method)
            result = Failure(call.id, "internal", "the request failed; see the log of the process that was asked")
        finally:
            self._handling -= 1
        if self.connected:
            self.send(result)


def _failure(error: str, text: str) -> BusError:
    return BusTimeout(text) if error == "timeout" else RemoteError(error, text)


def _check_size(body: bytes) -> None:
    # 1 KiB is left for the envelope: topic, method and numbers.
    if len(body) > MAX_BODY - 1024:
        raise BusError(f"a message of {len(body)} bytes is too large for the bus")
