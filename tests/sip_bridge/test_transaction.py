import pytest

from sip_bridge.transaction import START, TABLE, Action, Event, IllegalEvent, Kind, State, Timing, step

FROM_THE_NETWORK = {
    Kind.ICT: (Event.TRYING, Event.PROVISIONAL, Event.SUCCESS, Event.FAILURE, Event.BROKEN),
    Kind.NICT: (Event.TRYING, Event.PROVISIONAL, Event.SUCCESS, Event.FAILURE, Event.BROKEN),
    Kind.IST: (Event.AGAIN, Event.ACK),
    Kind.NIST: (Event.AGAIN,),
}


def reachable(kind: Kind) -> set[State]:
    seen = {START[kind]}
    while True:
        more = {then for (k, state, _), (then, _) in TABLE.items() if k is kind and state in seen} - seen
        if not more:
            return seen
        seen |= more


@pytest.mark.parametrize("kind", Kind)
def test_every_state_takes_everything_the_network_can_do(kind: Kind) -> None:
    for state in reachable(kind) - {State.TERMINATED}:
        for event in FROM_THE_NETWORK[kind]:
            if (kind, event) == (Kind.IST, Event.ACK) and state is State.COMPLETED:
                assert step(kind, state, event)[0] is State.CONFIRMED
            step(kind, state, event)


@pytest.mark.parametrize("kind", Kind)
def test_every_state_has_an_end(kind: Kind) -> None:
    ends = {State.TERMINATED}
    while True:
        more = {state for (k, state, _), (then, _) in TABLE.items() if k is kind and then in ends} - ends
        if not more:
            break
        ends |= more
    assert reachable(kind) <= ends
    assert not any(state is State.TERMINATED for _, state, _ in TABLE)


def test_every_row_is_reachable() -> None:
    assert {(kind, state) for kind, state, _ in TABLE} == {
        (kind, state) for kind in Kind for state in reachable(kind) - {State.TERMINATED}
    }


def test_a_cancel_waits_for_the_first_provisional_response() -> None:
    state, actions = step(Kind.ICT, State.CALLING, Event.CANCEL)
    assert Action.CANCEL not in actions
    assert Action.CANCEL in step(Kind.ICT, state, Event.TRYING)[1]


def test_an_impossible_event_names_itself() -> None:
    with pytest.raises(IllegalEvent, match="ANSWER_SUCCESS cannot happen to NICT in TRYING"):
        step(Kind.NICT, State.TRYING, Event.ANSWER_SUCCESS)


def test_timers_follow_t1() -> None:
    assert Timing().wait == 32.0
    assert Timing(t1=0.1).wait == pytest.approx(6.4)
    assert Timing().ring > 180
