"""The session core, played against a virtual clock."""

from __future__ import annotations

import itertools

import pytest

from livemon.listen.session import (
    AWAY_S,
    CONNECT_S,
    TABLE,
    WAIT_S,
    Close,
    Event,
    Grant,
    ModeEnded,
    Output,
    Publish,
    Revoke,
    Session,
    State,
)


def connected(now: float = 0.0) -> Session:
    session = Session(now)
    session.happen(Event.TRANSPORT_UP, now)
    assert session.drain() == [Publish()]
    return session


def without_publish(outputs: list[Output]) -> list[Output]:
    return [output for output in outputs if output != Publish()]


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_event_is_in_the_table_or_a_bug(state: State, event: Event) -> None:
    session = Session(0.0, state=state)
    after = TABLE.get((state, event))
    if after is None:
        with pytest.raises(AssertionError, match=f"{event.name} in {state.name}"):
            session.happen(event, 1.0)
    else:
        session.happen(event, 1.0)
        assert session.state is after


def test_only_a_connected_session_hears_and_speaks() -> None:
    session = Session(0.0)
    assert (session.hearing, session.speaking) == (False, False)
    with pytest.raises(AssertionError, match="speak in CONNECTING"):
        session.speak("whisper", None, 0.0)
    session.happen(Event.TRANSPORT_UP, 0.0)
    assert (session.hearing, session.speaking) == (True, False)
    session.speak("whisper", None, 0.0)
    assert session.speaking


def test_a_held_key_is_granted_renewed_and_revoked() -> None:
    session = connected()
    session.speak("whisper", 1.5, 0.0)
    assert session.drain() == [ModeEnded("listen", 0.0, "mode"), Grant("whisper", 1), Publish()]
    seen: list[Output] = []
    for tenth in range(1, 15):
        session.tick(tenth / 10, forwarded=False)
        seen += without_publish(session.drain())
    assert seen == [Grant("whisper", 2), Grant("whisper", 3)]
    session.speak("listen", None, 1.4)
    assert session.drain() == [ModeEnded("whisper", 1.4, "key_up"), Revoke(), Publish()]


def test_a_renewed_lease_sends_nothing_by_itself() -> None:
    session = connected()
    session.speak("barge", 1.0, 0.0)
    session.drain()
    session.speak("barge", 1.0, 0.4)
    assert session.drain() == []
    session.tick(1.39, forwarded=False)
    assert session.speaking
    session.tick(1.4, forwarded=False)
    assert ModeEnded("barge", 1.4, "lease_over") in session.drain()
    assert not session.speaking


def test_whisper_to_barge_ends_one_stretch_and_begins_another() -> None:
    session = connected()
    session.speak("whisper", None, 0.0)
    session.drain()
    session.speak("barge", None, 2.0)
    assert session.drain() == [ModeEnded("whisper", 2.0, "mode"), Grant("barge", 2), Publish()]


def test_states_are_published_ten_times_a_second_while_speaking() -> None:
    session = connected()
    session.speak("whisper", None, 0.0)
    session.drain()
    for n in range(1, 101):
        session.tick(n / 100, forwarded=False)
    assert 9 <= session.drain().count(Publish()) <= 11


def test_a_refusal_falls_back_to_listening_and_says_why() -> None:
    session = connected()
    session.speak("whisper", None, 0.0)
    session.drain()
    session.refuse("agent_holds", 1.0)
    assert without_publish(session.drain()) == [ModeEnded("whisper", 1.0, "agent_holds"), Revoke()]
    assert (session.mode, session.refused) == ("listen", "agent_holds")
    session.speak("listen", None, 1.5)
    assert session.refused == ""


@pytest.mark.parametrize("event", [Event.CALL_ENDED, Event.HOPPED, Event.CLOSED, Event.TRANSPORT_CHANGES])
def test_every_change_of_call_or_transport_ends_the_whisper(event: Event) -> None:
    session = connected()
    session.speak("whisper", None, 0.0)
    session.drain()
    session.happen(event, 1.0)
    assert Revoke() in session.drain()
    assert session.mode == "listen"


def test_heard_time_counts_ticks_with_audio_only() -> None:
    session = connected()
    for n in range(1, 11):
        session.tick(n / 10, forwarded=n <= 5)
    assert session.heard_s == pytest.approx(0.5)
    session.happen(Event.HOPPED, 1.0)
    assert session.heard_s == 0.0


@pytest.mark.parametrize(
    ("state", "limit", "reason"),
    [
        (State.CONNECTING, CONNECT_S, "not_connected"),
        (State.WAITING, WAIT_S, "call_ended"),
        (State.SUSPENDED, AWAY_S, "bridge_away"),
    ],
)
def test_what_leads_nowhere_is_closed(state: State, limit: float, reason: str) -> None:
    session = Session(0.0, state=state)
    session.tick(limit - 0.1, forwarded=False)
    assert session.drain() == []
    session.tick(limit, forwarded=False)
    assert session.drain() == [Close(reason)]


def test_a_call_that_ended_is_named_until_the_hop() -> None:
    session = connected()
    session.happen(Event.CALL_ENDED, 1.0)
    assert (session.state, session.refused, session.hearing) == (State.WAITING, "call_ended", False)
    session.happen(Event.HOPPED, 2.0)
    assert (session.state, session.refused, session.hearing) == (State.CONNECTED, "", True)


def test_rows_count_what_was_mixed_while_speaking() -> None:
    session = connected()
    session.row(8000, -2000, 0.0)
    assert session.whisper_dbfs(0.0) == -96.0
    session.speak("whisper", None, 0.1)
    session.row(8800, -1850, 0.2)
    assert session.whispered_samples == 800
    assert session.whisper_dbfs(0.2) == -18.5
    session.speak("listen", None, 0.25)
    session.row(9000, -1900, 0.3)
    assert session.whispered_samples == 1000, "the tail of the whisper is in the row after key-up"
    session.row(9500, -1900, 0.4)
    assert session.whispered_samples == 1000, "somebody else's whisper"
    session.speak("whisper", None, 0.5)
    session.row(100, -1900, 0.6)
    assert session.whispered_samples == 1000, "the counter of a new media process"
    assert session.whisper_dbfs(0.7) == -96.0


def test_a_session_waits_for_its_bridge_with_its_grant_ended() -> None:
    session = connected()
    session.speak("whisper", None, 0.5)
    session.drain()
    session.happen(Event.BRIDGE_AWAY, 1.0)
    assert Revoke() in session.drain()
    assert (session.state, session.mode, session.refused) == (State.SUSPENDED, "listen", "bridge_away")
    assert not session.hearing and not session.speaking
    session.speak("listen", None, 1.5)
    session.refuse("audit_unavailable", 1.6)
    assert session.refused == "bridge_away", "the page goes on showing why nothing is heard"
    session.happen(Event.BRIDGE_BACK, 2.0)
    assert (session.state, session.mode, session.refused) == (State.CONNECTED, "listen", "")


def test_a_bridge_that_leaves_while_the_browser_connects_is_remembered() -> None:
    session = Session(0.0)
    session.happen(Event.BRIDGE_AWAY, 0.1)
    assert (session.state, session.refused) == (State.CONNECTING, "bridge_away")
    session.happen(Event.BRIDGE_BACK, 0.2)
    assert (session.state, session.refused) == (State.CONNECTING, "")
