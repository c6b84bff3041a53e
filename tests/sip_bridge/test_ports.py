from sip_bridge.ports import REST, PortPool


def test_even_ports_are_handed_out_in_turn() -> None:
    pool = PortPool(20001, 20007)
    assert [pool.take(0.0) for _ in range(4)] == [20002, 20004, 20006, None]
    assert pool.size == 3


def test_a_freed_port_rests() -> None:
    pool = PortPool(20000, 20005)
    first = pool.take(0.0)
    assert first == 20000
    pool.give(first, 5.0)
    assert pool.free(5.0 + REST - 0.1) == 2
    assert [pool.take(5.0 + REST) for _ in range(3)] == [20002, 20004, 20000]


def test_under_load_the_longest_rested_port_is_woken_early() -> None:
    pool = PortPool(20000, 20003)
    for port in (pool.take(0.0), pool.take(0.0)):
        assert port is not None
        pool.give(port, port - 20000.0)
    assert [pool.take(3.0) for _ in range(3)] == [20000, 20002, None]


def test_a_port_of_another_range_is_not_taken_back() -> None:
    pool = PortPool(20000, 20003)
    pool.give(30000, 0.0)
    assert pool.free(REST) == 2


def test_ports_found_in_a_journal_are_not_free() -> None:
    pool = PortPool(20000, 20005)
    pool.claim([20000, 20004])
    assert pool.take(0.0) == 20002
    assert pool.take(0.0) is None
    pool.give(20004, 0.0)
    assert pool.take(REST) == 20004
