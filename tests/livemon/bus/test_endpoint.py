from __future__ import annotations

import asyncio

import pytest

from livemon.bus import endpoint
from livemon.bus.endpoint import Endpoint
from livemon.bus.frames import Answer, Ask, Call, Failure, Frame, Publish, Serve, Subscribe, Unsubscribe
from livemon.errors import BusError

BUSY = Failure(2, "busy", "t answers 1 requests already")


class Recorder(Endpoint):
    def __init__(self) -> None:
        super().__init__("test")
        self.sent: list[Frame] = []

    def send(self, frame: Frame) -> None:
        self.sent.append(frame)


async def echo(method: str, body: bytes) -> bytes:
    return body


async def test_everything_is_said_again_when_the_hub_returns() -> None:
    end = Recorder()
    end.serve("t", echo)
    end.subscribe("calls.")
    end.publish("directory", b"1", retain=True)
    end.publish("calls.x", b"lost")
    assert (end.sent, end.unsent) == ([], 2)
    end.attached()
    assert end.sent == [Serve("t"), Subscribe(1, "calls."), Publish("directory", b"1", True)]
    await end.close()
    assert end.sent[3:] == []


async def test_an_unsubscribe_is_sent_while_connected() -> None:
    end = Recorder()
    end.attached()
    end.subscribe("a").close()
    assert end.sent == [Subscribe(1, "a"), Unsubscribe(1)]


async def test_ready_says_whether_the_bus_came() -> None:
    end = Recorder()
    assert not await end.ready(0.01)
    end.attached()
    assert await end.ready(0.01)


async def test_requests_in_flight_fail_when_the_hub_goes() -> None:
    end = Recorder()
    end.attached()

    async def drop() -> None:
        end.detached()

    with pytest.raises(BusError):
        await asyncio.gather(end.request("t", "m", b""), drop())
    assert isinstance(end.sent[0], Ask)


async def test_answers_to_nobody_and_strange_frames_are_ignored() -> None:
    end = Recorder()
    for frame in (Answer(9, b""), Failure(9, "a", "b"), Serve("t")):
        end.received(frame)
    assert end.sent == []


async def test_a_call_for_a_target_we_do_not_serve_fails() -> None:
    end = Recorder()
    end.received(Call(1, "t", "m", b""))
    assert end.sent == [Failure(1, "no_such_target", "nobody answers for t")]


async def test_too_many_requests_at_once_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "MAX_HANDLING", 1)
    end = Recorder()
    end.attached()
    end.serve("t", echo)
    end.received(Call(1, "t", "m", b"x"))
    end.received(Call(2, "t", "m", b"x"))
    assert end.sent[1:] == [BUSY]
    for _ in range(3):
        await asyncio.sleep(0)
    assert end.sent[1:] == [BUSY, Answer(1, b"x")]
    end.received(Call(3, "t", "m", b"y"))
    end.detached()
    for _ in range(3):
        await asyncio.sleep(0)
    assert end.sent[1:] == [BUSY, Answer(1, b"x")]
