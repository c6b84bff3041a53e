import pytest

from sip_bridge.b2bua.offer import Exchange
from sip_bridge.hooks import SdpRole, Side

A, B = Side.CALLER, Side.CALLEE
OFFER, ANSWER, REPEAT = SdpRole.OFFER, SdpRole.ANSWER, SdpRole.REPEAT


@pytest.mark.parametrize(
    ("said", "roles"),
    [
        ([(A, b"o", ""), (B, b"a", "1"), (B, b"a", "1")], [OFFER, ANSWER, REPEAT]),
        ([(A, b"o", ""), (B, b"a", "1"), (B, b"other", "1")], [OFFER, ANSWER, ANSWER]),
        ([(A, b"o", ""), (B, b"a", "1"), (B, b"a", "2"), (B, b"a", "1")], [OFFER, ANSWER, ANSWER, ANSWER]),
        ([(B, b"o", ""), (B, b"o", ""), (A, b"a", "")], [OFFER, REPEAT, ANSWER]),
        ([(B, b"o", ""), (B, b"new", ""), (A, b"a", "")], [OFFER, OFFER, ANSWER]),
    ],
)
def test_what_a_body_is(said: list[tuple[Side, bytes, str]], roles: list[SdpRole]) -> None:
    exchange = Exchange()
    assert [exchange.role(sender, body, branch) for sender, body, branch in said] == roles


def test_an_offer_is_open_until_answered_and_settled_when_that_is_sure() -> None:
    exchange = Exchange()
    assert not exchange.open
    exchange.role(A, b"o")
    assert exchange.open
    exchange.role(B, b"a", reliable=False)
    assert not exchange.open
    assert not exchange.settled
    exchange.role(B, b"a")
    assert exchange.settled
