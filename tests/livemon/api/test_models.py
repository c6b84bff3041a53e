from __future__ import annotations

import msgspec
import pytest

from livemon.api.models import Listen, Login, NewUser, SetMode


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Login, b'{"login":"","password":"x"}'),
        (Login, b'{"login":"a","password":"x","more":1}'),
        (SetMode, b'{"mode":"takeover"}'),
        (SetMode, b'{"mode":"listen","lease_ms":10001}'),
        (NewUser, b'{"login":"a","name":"A","role":"root"}'),
        (Listen, b'{"sdp":"' + b"a" * 60_001 + b'"}'),
    ],
)
def test_bodies_have_bounds(kind: type[msgspec.Struct], body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=kind)


def test_an_empty_wish_to_listen_is_a_webrtc_one() -> None:
    assert msgspec.json.decode(b"{}", type=Listen) == Listen(sdp="", transport="webrtc", reason="")
