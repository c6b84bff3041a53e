from typing import Any

import msgspec
import pytest

from livemon.bus import messages
from livemon.bus.messages import CallFigures, NodeUpdate, Principal, PrincipalChanged, Spurt

STRUCTS = [value for value in vars(messages).values() if isinstance(value, type) and issubclass(value, msgspec.Struct)]


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_every_message_is_frozen(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen


@pytest.mark.parametrize(
    "message",
    [
        NodeUpdate(
            "n",
            1,
            2,
            True,
            figures=(CallFigures("c", 1, "hold", 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -12.5, -13.5, 14, 15),),
        ),
        NodeUpdate("n", 1, 2, False, spurts=(Spurt("c", "agent", 1, 2, True),), gone=("d",)),
        PrincipalChanged("u", Principal("u", "U", "supervisor", ("listen",), False, teams=("t",))),
        PrincipalChanged("u", None),
    ],
)
def test_what_is_sent_is_what_arrives(message: Any) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=type(message)) == message


def test_a_message_of_another_shape_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode({"user_id": 1}), type=PrincipalChanged)
