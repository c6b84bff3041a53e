import pytest

from livemon.errors import BusError, BusTimeout, LivemonError, Refused, RemoteError


@pytest.mark.parametrize(
    "error", [RemoteError("no_such_target", "nobody serves it"), Refused("no_right", "not allowed")]
)
def test_an_error_says_its_id_and_its_words(error: RemoteError | Refused) -> None:
    assert isinstance(error, LivemonError)
    assert str(error) == f"{error.id}: {error.text}"


def test_a_refusal_carries_its_status() -> None:
    assert Refused("no_right", "x").status == 403
    assert Refused("busy", "x", 503).status == 503


def test_what_the_bus_raises_is_one_family() -> None:
    assert issubclass(BusTimeout, BusError)
    assert issubclass(RemoteError, BusError)
