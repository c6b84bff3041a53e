"""The exception tree of livemon.

LivemonError
├── ConfigError        a setting is wrong; says which and what to write instead
├── InputError         a file given by the user cannot be used; says which and why
├── BusError           the bus is not there
│   ├── BusTimeout     no answer in time
│   └── RemoteError    the other side answered with a stable error id
└── Refused            somebody may not do that, or it cannot be done now; carries a stable reason id
"""

from __future__ import annotations


class LivemonError(Exception):
    """Base of everything livemon raises on purpose."""


class ConfigError(LivemonError):
    """A setting is wrong; the text names the setting and the fix."""


class InputError(LivemonError):
    """A file given by the user cannot be used; the text names the file and what is wrong."""


class BusError(LivemonError):
    """The bus is not there."""


class BusTimeout(BusError):
    """No answer in time."""


class RemoteError(BusError):
    """The other side answered with an error; `id` is stable and program-readable."""

    def __init__(self, id: str, text: str) -> None:  # noqa: A002 - the protocol's own word
        super().__init__(f"{id}: {text}")
        self.id = id
        self.text = text


class Refused(LivemonError):
    """An action is refused; `id` is the reason id pages translate, `status` the HTTP status."""

    def __init__(self, id: str, text: str, status: int = 403) -> None:  # noqa: A002 - the protocol's own word
        super().__init__(f"{id}: {text}")
        self.id = id
        self.text = text
        self.status = status
