from sip_bridge.hooks import Hop, Side


def test_each_side_has_the_other() -> None:
    assert [side.other for side in Side] == [Side.CALLEE, Side.CALLER]


def test_a_hop_is_the_same_whichever_socket_it_came_by() -> None:
    assert Hop("udp", "192.0.2.1", 5060, local=1) == Hop("udp", "192.0.2.1", 5060)
