import pytest

from sip_bridge.errors import BridgeError, ConfigError, LinkError, MediaError, SipError


def test_a_sip_error_carries_what_is_answered() -> None:
    error = SipError(488, "Not Acceptable Here")
    assert (error.status, error.reason, str(error)) == (488, "Not Acceptable Here", "488 Not Acceptable Here")


@pytest.mark.parametrize("kind", [ConfigError, LinkError, MediaError, SipError])
def test_everything_is_a_bridge_error(kind: type[BridgeError]) -> None:
    assert issubclass(kind, BridgeError)
