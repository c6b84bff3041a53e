"""What the control core is given, and where its words go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

Message = dict[str, Any]


class Outlets(Protocol):
    """Where the core's words go; none of these may block."""

    def command(self, *commands: Message) -> None:
        """Send JSON commands to the media process, in one message: each message wakes it once."""

    def frame(self, frame: bytes) -> None:
        """Send a binary frame to the media process."""

    def tell(self, message: Message) -> None:
        """Send a JSON message to the node, if there is one."""

    def tap(self, frame: bytes) -> None:
        """Send a tap frame to the node, if there is one."""

    def hang_up(self, call: str, reason: str) -> None:
        """End a call on both sides."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Clocks, randomness and look-ups the core is given."""

    now: Callable[[], float]
    """Monotonic seconds."""
    utc_ms: Callable[[], int]
    mint: Callable[[], str]
    """A new uuid7, 32 hex digits."""
    aor: Callable[[str], str] = lambda _: ""
    """The registered address behind a request URI, or ""."""
