"""The exception tree of the bridge.

BridgeError
├── ConfigError        a setting is wrong; says which line and what to write instead
├── SipError           a request that can be answered with a status (RFC 3261, 21)
├── MediaError         the media process refused a command
└── LinkError          the link to a node cannot be used
"""

from __future__ import annotations


class BridgeError(Exception):
    """Base of everything the bridge raises on purpose."""


class ConfigError(BridgeError):
    """A setting is wrong; the text names the setting and the fix."""


class SipError(BridgeError):
    """A request that is answered with `status` and `reason`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class MediaError(BridgeError):
    """The media process refused a command."""


class LinkError(BridgeError):
    """The link to a node cannot be used: wrong key, wrong version, or gone."""
