from sip_bridge.transaction_timers import COMPACT_AT, GRAIN, TimerQueue


def test_timers_fire_in_order_and_once() -> None:
    queue = TimerQueue()
    fired: list[tuple[str, float]] = []
    queue.arm(2.0, lambda now: fired.append(("late", now)))
    queue.arm(1.0, lambda now: fired.append(("early", now)))
    gone = queue.arm(1.5, lambda now: fired.append(("never", now)))
    gone.cancel()
    gone.cancel()
    assert (len(queue), queue.due()) == (2, 1.0)
    queue.tick(0.5)
    assert fired == []
    queue.tick(3.0)
    assert fired == [("early", 3.0), ("late", 3.0)]
    assert (len(queue), queue.due()) == (0, None)


def test_a_timer_may_arm_another() -> None:
    queue = TimerQueue()
    fired: list[float] = []
    queue.arm(1.0, lambda now: (queue.arm(now, fired.append), None)[1])
    queue.tick(1.0)
    assert fired == [1.0]


def test_cancelled_timers_do_not_pile_up() -> None:
    queue = TimerQueue()
    fired: list[float] = []
    queue.arm(1e6, fired.append)
    for _ in range(COMPACT_AT * 3):
        queue.arm(1e5, fired.append).cancel()
    assert len(queue) == 1
    assert queue.stored <= COMPACT_AT + 1


def test_a_fired_timer_can_be_cancelled_without_effect() -> None:
    queue = TimerQueue()
    timer = queue.arm(0.0, lambda now: None)
    queue.tick(0.0)
    timer.cancel()
    assert len(queue) == 0


def test_a_cancelled_timer_wakes_nobody() -> None:
    queue = TimerQueue()
    first = queue.arm(1.0, lambda now: None)
    last = queue.arm(2.0, lambda now: None)
    first.cancel()
    assert queue.due() == 2.0
    last.cancel()
    assert (queue.due(), queue.stored) == (None, 0)


def test_coarse_timers_fall_due_together_and_never_early() -> None:
    queue = TimerQueue()
    fired: list[float] = []
    for wanted in (10.01, 10.02, 10.03):
        queue.arm_coarse(wanted, fired.append)
    due = queue.due()
    assert due is not None and 10.03 <= due <= 10.01 + GRAIN
    queue.tick(due)
    assert fired == [due] * 3
