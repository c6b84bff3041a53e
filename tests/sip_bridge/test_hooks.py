from sip_bridge.hooks import Hop, Side, no_journal


def test_sides_are_opposite() -> None:
    assert Side.CALLER.other is Side.CALLEE
    assert Side.CALLEE.other is Side.CALLER


def test_our_own_socket_is_no_part_of_where_a_peer_is() -> None:
    assert Hop("udp", "h", 1, 0) == Hop("udp", "h", 1, 5)
    assert hash(Hop("udp", "h", 1, 0)) == hash(Hop("udp", "h", 1, 5))


def test_nothing_need_be_kept() -> None:
    no_journal("k", None, 0.0)
