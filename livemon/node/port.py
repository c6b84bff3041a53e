"""The node's way to one bridge, which outlives the connections it goes over."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from livemon.bus.messages import Mode
from livemon.tap import messages
from sip_bridge.link.wire import WhisperChunk, whisper_frame


class Sender(Protocol):
    """A live connection; `livemon.tap.link.Link` is one."""

    def send(self, message: str | bytes) -> None:
        """Queue a message; never waits."""


class LinkPort:
    """A `BridgePort`: while no link is up, what is sent is dropped; listened legs are asked for again on return."""

    def __init__(self) -> None:
        self._link: Sender | None = None
        self.listened: set[int] = set()

    @property
    def up(self) -> bool:
        """Whether a link is up."""
        return self._link is not None

    def attach(self, link: Sender) -> None:
        """Use `link` from now on; the welcome has been sent."""
        self._link = link
        if self.listened:
            link.send(messages.listen(self.listened, True))

    def detach(self, link: Sender) -> bool:
        """Stop using `link`; False if another one is in use already."""
        if self._link is not link:
            return False
        self._link = None
        return True

    def listen(self, legs: Collection[int], on: bool) -> None:
        """Ask for these legs' packets every 2 ms instead of every 20 ms, or take that back."""
        if on:
            self.listened.update(legs)
        else:
            self.listened.difference_update(legs)
        self._send(messages.listen(legs, on))

    def grant(self, grant_id: int, segment: str, mode: Mode, counter: int, ttl_ms: int) -> None:
        """Open or renew the permission for supervisor audio into `segment`."""
        self._send(messages.grant(grant_id, segment, mode, counter, ttl_ms))

    def revoke(self, grant_id: int) -> None:
        """End a permission at once; a lost link ends it by itself."""
        self._send(messages.revoke(grant_id))

    def gain(self, grant_id: int, whisper_db: float, duck_db: float) -> None:
        """Set the supervisor's level at the agent and how far the customer is lowered, in dB."""
        self._send(messages.gain(grant_id, whisper_db, duck_db))

    def whisper(self, chunk: WhisperChunk) -> None:
        """Send supervisor audio."""
        self._send(whisper_frame(chunk))

    def _send(self, message: str | bytes) -> None:
        if self._link is not None:
            self._link.send(message)
