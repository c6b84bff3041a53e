import io
import json
import logging

import pytest

from sip_bridge.log import JsonFormatter, configure, mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("call from sip:+4930123456@carrier.example:5060;x=1 to <sips:201@pbx>", "call from sip:*** to <sips:***>"),
        ("tel:+4930123456 rang", "tel:*** rang"),
        ("from 192.0.2.17:5060", "from *.*.*.*:5060"),
        ("from [2001:db8::17]:5060", "from *:*:5060"),
        ("peer fe80:0:0:0:1:2:3:4 gone", "peer *:* gone"),
        ("dialled +49 30 1234567 twice", "dialled *** twice"),
        ("dialled 0301234567", "dialled ***"),
        ("at 12:30:05 took 123456 ms, status 486, a::b", "at 12:30:05 took 123456 ms, status 486, *:*"),
        ("call 3d8333d93f2eae7fc913a2c6", "call 3d8333d93f2eae7fc913a2c6"),
    ],
)
def test_numbers_and_addresses_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


def lines(level: int, act: str) -> dict[str, object]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(lambda at: f"t{at > 0}"))
    logger = logging.getLogger("test.log")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    try:
        raise ValueError("no 192.0.2.1")
    except ValueError:
        logger.log(
            level, "call %s", act, exc_info=level == logging.ERROR,
            extra={"peer": "192.0.2.1", "n": 5, "many": ["sip:a@b"], "other": {"x": "192.0.2.1"}},
        )  # fmt: skip
    found: dict[str, object] = json.loads(stream.getvalue())
    return found


def test_a_line_is_one_masked_object() -> None:
    line = lines(logging.INFO, "sip:201@192.0.2.1")
    assert line == {
        "ts": "tTrue", "level": "info", "logger": "test.log", "msg": "call sip:***", "peer": "*.*.*.*", "n": 5,
        "many": ["sip:***"], "other": "{'x': '*.*.*.*'}",
    }  # fmt: skip


def test_exceptions_are_masked_and_debug_is_not() -> None:
    assert "no *.*.*.*" in str(lines(logging.ERROR, "x")["exc"])
    assert lines(logging.DEBUG, "192.0.2.1")["msg"] == "call 192.0.2.1"


def test_the_root_logger_is_configured() -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    try:
        configure(stream, logging.INFO, str)
        logging.getLogger("x").info("hello")
        logging.getLogger("websockets").info("hidden")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    assert [json.loads(line)["msg"] for line in stream.getvalue().splitlines()] == ["hello"]
