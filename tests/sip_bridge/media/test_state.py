from sip_bridge.media.state import HALF, SLOT, StateFile


def test_records_come_back_by_slot() -> None:
    memory = bytearray(4 * SLOT)
    state = StateFile(memory)
    assert state.slots == 4
    state.write(0, {"leg": 1})
    state.write(3, {"leg": 4})
    state.write(3, {"leg": 5})
    assert list(StateFile(memory).records()) == [(0, {"leg": 1}), (3, {"leg": 5})]


def test_an_emptied_slot_is_empty() -> None:
    memory = bytearray(SLOT)
    state = StateFile(memory)
    state.write(0, {"leg": 1})
    state.write(0, None)
    assert list(StateFile(memory).records()) == []


def test_a_write_cut_short_leaves_the_record_before_it() -> None:
    for cut in range(1, 60):
        memory = bytearray(SLOT)
        state = StateFile(memory)
        state.write(0, {"leg": 1})
        before = bytes(memory)
        state.write(0, {"leg": 222222222222})
        torn = bytearray(before)
        changed = [index for index in range(SLOT) if memory[index] != before[index]]
        for index in changed[: len(changed) * cut // 60]:
            torn[index] = memory[index]
        assert list(StateFile(torn).records()) == [(0, {"leg": 1})]


def test_a_restarted_writer_goes_on_with_the_generations() -> None:
    memory = bytearray(SLOT)
    for number in range(10):
        state = StateFile(memory)
        list(state.records())
        state.write(0, {"number": number})
        assert list(StateFile(memory).records()) == [(0, {"number": number})]


def test_noise_yields_nothing_and_costs_no_other_record() -> None:
    memory = bytearray(b"\xa5" * 2 * SLOT)
    StateFile(memory).write(1, {"leg": 2})
    assert list(StateFile(memory).records()) == [(1, {"leg": 2})]


def test_a_record_that_does_not_fit_is_counted_and_the_one_before_it_stays() -> None:
    memory = bytearray(SLOT)
    state = StateFile(memory)
    state.write(0, {"leg": 1})
    state.write(0, {"leg": "x" * HALF})
    assert state.too_long == 1
    assert list(StateFile(memory).records()) == [(0, {"leg": 1})]
