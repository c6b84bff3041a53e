from __future__ import annotations

import json

from livemon.node.port import LinkPort
from sip_bridge.link.wire import WhisperChunk, decode


class Sender:
    def __init__(self) -> None:
        self.sent: list[str | bytes] = []

    def send(self, message: str | bytes) -> None:
        self.sent.append(message)

    def kinds(self) -> list[str]:
        return [json.loads(item)["t"] if isinstance(item, str) else "audio" for item in self.sent]


def test_everything_reaches_the_link_in_order() -> None:
    port, link = LinkPort(), Sender()
    port.attach(link)
    assert port.up
    port.listen([7, 8], True)
    port.grant(1, "s1", "whisper", 1, 2000)
    port.gain(1, -3.0, -12.0)
    port.whisper(WhisperChunk(1, 2, 3, b"\xff" * 160))
    port.revoke(1)
    assert link.kinds() == ["listen", "grant", "gain", "audio", "revoke"]
    assert isinstance(link.sent[3], bytes)
    assert decode(link.sent[3]) == WhisperChunk(1, 2, 3, b"\xff" * 160)


def test_without_a_link_nothing_waits_except_who_is_listened_to() -> None:
    port, link = LinkPort(), Sender()
    port.listen([7, 8], True)
    port.listen([8], False)
    port.grant(1, "s1", "whisper", 1, 2000)
    assert not port.up
    port.attach(link)
    assert [json.loads(str(item)) for item in link.sent] == [{"t": "listen", "legs": [7], "on": True}]


def test_the_end_of_an_old_link_leaves_the_new_one_in_use() -> None:
    port, old, new = LinkPort(), Sender(), Sender()
    port.attach(old)
    port.attach(new)
    assert not port.detach(old)
    assert port.up
    assert port.detach(new)
    assert not port.up
