"""Logs: one JSON object a line on standard error, without phone numbers and addresses at info level and above."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# Six digits are the shortest number that is a subscriber's and not an extension; ids of calls are hexadecimal and
# have a letter beside their digits nearly always, hence no match inside a word.
_NUMBER = re.compile(r"(?<![\w.])\+?[0-9][0-9 ()/-]{4,}[0-9](?![\w.])")
_ADDRESS = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w.])|(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}")
_SIP_USER = re.compile(r"(sips?:|tel:)[^@;>\s]+", re.IGNORECASE)
_QUIET = ("websockets", "aiortc", "aioice", "asyncio")
"""Libraries whose info lines name every connection."""


def redact(text: str) -> str:
    """Return `text` without the phone numbers and network addresses in it."""
    return _NUMBER.sub("<number>", _ADDRESS.sub("<address>", _SIP_USER.sub(r"\1<user>", text)))


def _redact_event(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if event.get("level") == "debug":
        return event
    for key, value in event.items():
        if isinstance(value, str) and key not in ("timestamp", "level"):
            event[key] = redact(value)
    return event


def configure(process: str, level: str = "info") -> None:
    """Set up logging of this process, for `logging` and `structlog` alike."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _redact_event,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
