from types import SimpleNamespace
from typing import Any, cast

import pytest

from livemon.api.route import Ask
from livemon.api.settings import EnterLink
from livemon.bus.memory import MemoryHub
from livemon.demo import web
from livemon.demo.centre import HEARD_TOPIC
from livemon.errors import ConfigError


def test_links_are_read() -> None:
    assert web.links('[["t", "supervisor", "/"]]') == (EnterLink("t", "supervisor", "/"),)
    assert web.links("") == ()


@pytest.mark.parametrize("text", ["{", "[1]", '[["a"]]'])
def test_links_that_are_none_are_named(text: str) -> None:
    with pytest.raises(ConfigError, match=web.LINKS):
        web.links(text)


async def test_the_drawer_shows_what_the_phones_said_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "HEARD_WITHIN_S", 0.3)
    bus = MemoryHub().connect("test")
    ask = cast(Ask, SimpleNamespace(web=SimpleNamespace(bus=bus)))
    assert cast(Any, await web.heard(ask)).body == b'{"phones":[]}'
    bus.publish(HEARD_TOPIC, b'{"phones":[1]}', retain=True)
    assert cast(Any, await web.heard(ask)).body == b'{"phones":[1]}'
    await bus.close()
