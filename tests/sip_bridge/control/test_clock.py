from sip_bridge.control.clock import ClockAnchor


def test_an_anchor_goes_out_at_once_then_each_minute() -> None:
    anchor = ClockAnchor()
    start = 1_700_000_000_000
    due = [second for second in range(130) if anchor.due(second * 1_000_000_000, start + second * 1000)]
    assert due == [0, 60, 120]


def test_a_step_of_the_wall_clock_is_told_at_once() -> None:
    anchor = ClockAnchor()
    anchor.due(0, 1_000_000)
    assert not anchor.due(1_000_000_000, 1_001_015)
    assert anchor.due(2_000_000_000, 1_002_000 + 3_600_000)
    assert not anchor.due(3_000_000_000, 1_003_000 + 3_600_000)
