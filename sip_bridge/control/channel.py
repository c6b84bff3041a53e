"""The message channel to the media process: commands are never lost while it is slow, whisper frames may be."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

MAX_MESSAGE: Final = 1 << 20
"""Bytes of one message: a stats event of 1000 calls is about 500 kB."""
MAX_WAITING: Final = 100_000
"""Commands that may wait while the media process is restarted: 1000 calls opened, set and closed ten times over."""
COMMANDS: Final = 16
"""Commands of one message: with every payload type named they are 40 kB, and the media process reads 64 KiB."""
BATCH: Final = 64
"""Messages read per turn of the loop, so that SIP is never more than about 2 ms behind the tap."""
_compact: Final = json.JSONEncoder(separators=(",", ":")).encode
"""What `json.dumps` makes anew at every call."""


class MediaChannel:
    """One end of the SOCK_SEQPACKET pair; must be made inside a running loop.

    The keeper holds the other end as well, so its end means that keeper and media are both gone; `on_lost` is told.
    """

    def __init__(
        self, end: socket.socket, on_message: Callable[[bytes], None], on_lost: Callable[[], None] = lambda: None
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._end = end
        self._on_message = on_message
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING)
        self._closed = False
        self._buffer = memoryview(bytearray(MAX_MESSAGE))
        end.setblocking(False)
        self._loop.add_reader(end, self._read)

    def close(self) -> None:
        """Stop reading and writing; the descriptor stays the keeper's."""
        self._closed = True
        self._loop.remove_reader(self._end)
        self._loop.remove_writer(self._end)

    def command(self, *commands: dict[str, Any]) -> None:
        """Send JSON commands, one a line of one message, or queue them until the media process reads again."""
        for at in range(0, len(commands), COMMANDS):
            data = "\n".join(map(_compact, commands[at : at + COMMANDS])).encode()
            if self._waiting or not self._sent(data):
                if not self._waiting and not self._closed:
                    self._loop.add_writer(self._end, self._write)
                self._waiting.append(data)

    def frame(self, frame: bytes) -> None:
        """Send a whisper frame now or drop it: late speech is worse than a gap."""
        if self._waiting or not self._sent(frame):
            self.counters["whisper_frames_dropped"] += 1

    def _sent(self, data: bytes) -> bool:
        try:
            self._end.send(data)
        except (BlockingIOError, ConnectionError):
            return False
        return True

    def _write(self) -> None:
        while self._waiting:
            if not self._sent(self._waiting[0]):
                return
            self._waiting.popleft()
        self._loop.remove_writer(self._end)

    def _read(self) -> None:
        for _ in range(BATCH):
            try:
                size = self._end.recv_into(self._buffer)
            except (BlockingIOError, ConnectionError):
                return
            if size == 0:
                # Readable for good from here on: without this the loop would turn without a pause.
                self.close()
                self._on_lost()
                return
            self._on_message(bytes(self._buffer[:size]))
