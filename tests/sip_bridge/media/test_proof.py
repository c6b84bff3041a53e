from sip_bridge.media.proof import SLOTS, ProofTable


def test_what_was_received_holds() -> None:
    table = ProofTable()
    table.note(1, 160, b"voice")
    assert table.holds(1, 160, b"voice")


def test_anything_else_does_not() -> None:
    table = ProofTable()
    table.note(1, 160, b"voice")
    assert not table.holds(1, 160, b"Voice")
    assert not table.holds(1, 320, b"voice")
    assert not table.holds(2, 160, b"voice")
    assert not table.holds(1, 160 + 16 * SLOTS, b"voice")
    assert not ProofTable().holds(0, 0, b"")


def test_every_packet_time_in_use_keeps_several_packets_apart() -> None:
    for step in (80, 160, 240, 480):
        table = ProofTable()
        for index in range(8):
            table.note(1, index * step, bytes([index]))
        assert all(table.holds(1, index * step, bytes([index])) for index in range(8))


def test_a_digit_packet_that_repeats_its_timestamp_holds_each_time() -> None:
    table = ProofTable()
    for duration in range(3):
        table.note(1, 160, bytes([duration]))
        assert table.holds(1, 160, bytes([duration]))
