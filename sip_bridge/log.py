"""JSON log lines that carry no telephone number and no peer address.

Who called whom is in the audit and the call record, where rights protect it; a log file has readers of its own. The
masking is a core: text in, text out. At debug level an operator has asked for the full text.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any, Final, TextIO

_URI: Final = re.compile(r"\b(sips?|tel):[^\s<>\"',]+", re.IGNORECASE)
_IPV4: Final = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w.])")
_IPV6: Final = re.compile(
    r"\[[0-9a-f:.]*::?[0-9a-f:.]*\]|(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE
)
# Seven digits and more, with the separators people write; shorter ones are ports, counts and extensions.
_NUMBER: Final = re.compile(r"(?<![\w.:/-])\+?[0-9](?:[ ()/-]?[0-9]){6,18}(?![\w])")

_OWN: Final = frozenset(vars(logging.makeLogRecord({})))


def mask(text: str) -> str:
    """Return `text` without SIP addresses, IP addresses and telephone numbers."""
    text = _URI.sub(lambda match: f"{match[1].lower()}:***", text)
    text = _IPV4.sub("*.*.*.*", text)
    text = _IPV6.sub(_masked_v6, text)
    return _NUMBER.sub("***", text)


def _masked_v6(match: re.Match[str]) -> str:
    # Times such as 12:30:05 and bare "::" have the colons but no hexadecimal address.
    text = match[0].strip("[]")
    return "*:*" if "::" in text[:-1] or text.count(":") >= 5 else match[0]


class JsonFormatter(logging.Formatter):
    """One JSON object per line: ts, level, logger, msg, and the record's `extra` members."""

    def __init__(self, utc: Callable[[float], str]) -> None:
        super().__init__()
        self._utc = utc

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: dict[str, Any] = {
            "ts": self._utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        fields.update((key, value) for key, value in vars(record).items() if key not in _OWN and key not in fields)
        if record.exc_info:
            fields["exc"] = self.formatException(record.exc_info)
        if record.levelno > logging.DEBUG:
            fields = {key: _masked(value) if key not in ("ts", "level") else value for key, value in fields.items()}
        return json.dumps(fields, default=str)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list | tuple):
        return [_masked(one) for one in value]
    return value if isinstance(value, int | float | type(None)) else mask(str(value))


def configure(stream: TextIO, level: int, utc: Callable[[float], str]) -> None:
    """Send every log record to `stream` as JSON lines."""
    # What no line shows need not be found out (Python's logging HOWTO, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(utc))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The websockets library logs addresses and headers of every connection at info level.
    logging.getLogger("websockets").setLevel(logging.WARNING)
