from sip_bridge.transport_gate import TokenBuckets


def test_a_host_has_a_burst_and_then_a_rate() -> None:
    gate = TokenBuckets(rate=2.0, burst=3.0)
    assert [gate.allow("h", 0.0) for _ in range(5)] == [True, True, True, False, False]
    assert gate.allow("other", 0.0)
    assert [gate.allow("h", 1.0) for _ in range(3)] == [True, True, False]
    assert gate.dropped == 3


def test_trunks_are_exempt() -> None:
    gate = TokenBuckets(rate=0.0, burst=0.0, exempt=frozenset({"pbx"}))
    assert gate.allow("pbx", 0.0)
    assert not gate.allow("else", 0.0)


def test_the_longest_silent_source_is_forgotten_first() -> None:
    gate = TokenBuckets(rate=0.0, burst=1.0, sources=2)
    for host in ("a", "b", "a", "c"):
        gate.allow(host, 0.0)
    assert not gate.allow("a", 0.0)
    assert gate.allow("b", 0.0)
