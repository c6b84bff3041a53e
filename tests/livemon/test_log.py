from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from livemon import log


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call from +49 30 1234567 ended", "call from <number> ended"),
        ("peer 192.0.2.17 and fe80:1:2:3:4:5:6:7", "peer <address> and <address>"),
        ("contact sip:4930123@pbx", "contact sip:<user>@pbx"),
        (
            "extension 201, call 0192f3a4b5c67d8e, 12 ms, 3.141592653",
            "extension 201, call 0192f3a4b5c67d8e, 12 ms, 3.141592653",
        ),
    ],
)
def test_redacted(text: str, shown: str) -> None:
    assert log.redact(text) == shown


def test_lines_are_json_without_numbers_at_info_and_with_them_at_debug(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("node-0", "debug")
    logging.getLogger("x").info("call %s of %s", "0192f3a4", "+493012345678")
    logging.getLogger("x").debug("of %s", "+493012345678")
    structlog.get_logger("y").warning("refused", peer="192.0.2.1", tries=3)
    try:
        raise ValueError("from +493012345678")
    except ValueError:
        logging.getLogger("x").exception("broke")
    info, debug, bound, broke = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (info["event"], info["level"], info["process"]) == ("call 0192f3a4 of <number>", "info", "node-0")
    assert debug["event"] == "of +493012345678"
    assert (bound["event"], bound["peer"], bound["tries"]) == ("refused", "<address>", 3)
    assert "+4930" not in broke["exception"]


def test_libraries_that_name_every_connection_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("web")
    logging.getLogger("websockets.server").info("connection open")
    logging.getLogger("x").debug("hidden")
    assert capsys.readouterr().err == ""
