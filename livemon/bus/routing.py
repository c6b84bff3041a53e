"""The routing table of the bus: who wants which topic, who answers for which target, which request waits."""

from __future__ import annotations

from dataclasses import dataclass, field

from livemon.bus.frames import Answer, Ask, Call, Deliver, Failure, Frame, Publish, Serve, Subscribe, Unsubscribe

MAX_RETAINED = 4096
"""Retained topics: a few per node and bridge; a client that invents topics must not eat the memory."""
MAX_PENDING = 10_000
"""Requests in flight over all clients; far above what supervisors can click."""


@dataclass(slots=True)
class _Client:
    subs: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Pending:
    asker: int
    asker_id: int
    server: int
    deadline: float


class RoutingTable:
    """Feed it what clients say; drain what is to be sent to whom. Clients are numbers."""

    def __init__(self) -> None:
        self._clients: dict[int, _Client] = {}
        self._servers: dict[str, int] = {}
        self._retained: dict[str, bytes] = {}
        self._pending: dict[int, _Pending] = {}
        self._next_id = 0
        self._out: list[tuple[int, Frame]] = []

    @property
    def pending(self) -> int:
        """Requests that wait for an answer."""
        return len(self._pending)

    def join(self, client: int) -> None:
        """Take in a new client."""
        self._clients[client] = _Client()

    def leave(self, client: int) -> None:
        """Forget a client; requests it was to answer fail with `target_gone`."""
        self._clients.pop(client, None)
        self._servers = {target: server for target, server in self._servers.items() if server != client}
        for id_, pending in list(self._pending.items()):
            if pending.server == client:
                self._fail(id_, "target_gone", "the process that was asked has ended")
            elif pending.asker == client:
                del self._pending[id_]

    def feed(self, client: int, frame: Frame, now: float) -> None:
        """Take in one frame of `client` at `now` (seconds, monotonic)."""
        match frame:
            case Publish():
                self._publish(frame)
            case Subscribe():
                self._subscribe(client, frame)
            case Unsubscribe():
                self._clients[client].subs.pop(frame.sub, None)
            case Serve():
                self._servers[frame.target] = client
            case Ask():
                self._ask(client, frame, now)
            case Answer() | Failure():
                self._answer(client, frame)
            case _:
                pass  # Call and Deliver travel the other way; a client that sends them is ignored

    def expire(self, now: float) -> None:
        """Fail the requests whose time is over."""
        for id_ in [id_ for id_, pending in self._pending.items() if pending.deadline <= now]:
            self._fail(id_, "timeout", "no answer in time")

    def deadline(self) -> float | None:
        """When `expire` has to be called next, or None."""
        return min((pending.deadline for pending in self._pending.values()), default=None)

    def drain(self) -> list[tuple[int, Frame]]:
        """Return and forget what is to be sent: (client, frame), in order."""
        out, self._out = self._out, []
        return out

    def _publish(self, frame: Publish) -> None:
        if frame.retain and (frame.topic in self._retained or len(self._retained) < MAX_RETAINED):
            self._retained[frame.topic] = frame.body
        for number, client in self._clients.items():
            subs = tuple(sub for sub, prefix in client.subs.items() if frame.topic.startswith(prefix))
            if subs:
                self._out.append((number, Deliver(subs, frame.topic, frame.body)))

    def _subscribe(self, client: int, frame: Subscribe) -> None:
        self._clients[client].subs[frame.sub] = frame.prefix
        for topic, body in self._retained.items():
            if topic.startswith(frame.prefix):
                self._out.append((client, Deliver((frame.sub,), topic, body)))

    def _ask(self, client: int, frame: Ask, now: float) -> None:
        server = self._servers.get(frame.target)
        if server is None:
            self._out.append((client, Failure(frame.id, "no_such_target", f"nobody answers for {frame.target}")))
        elif len(self._pending) >= MAX_PENDING:
            self._out.append((client, Failure(frame.id, "busy", "too many requests wait")))
        else:
            self._next_id += 1
            self._pending[self._next_id] = _Pending(client, frame.id, server, now + frame.timeout)
            self._out.append((server, Call(self._next_id, frame.target, frame.method, frame.body)))

    def _answer(self, client: int, frame: Answer | Failure) -> None:
        pending = self._pending.get(frame.id)
        if pending is None or pending.server != client:
            return  # late, or an answer to somebody else's question
        del self._pending[frame.id]
        if isinstance(frame, Answer):
            self._out.append((pending.asker, Answer(pending.asker_id, frame.body)))
        else:
            self._out.append((pending.asker, Failure(pending.asker_id, frame.error, frame.text)))

    def _fail(self, id_: int, error: str, text: str) -> None:
        pending = self._pending.pop(id_)
        self._out.append((pending.asker, Failure(pending.asker_id, error, text)))
