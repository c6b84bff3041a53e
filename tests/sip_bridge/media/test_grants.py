import pytest

from sip_bridge.media.grants import Ask, BargeAudio, Change, Grants, Mode, State, WhisperAudio

MS = 1_000_000


def ask(counter: int = 1, mode: Mode = Mode.WHISPER, session: int = 7, ttl_ms: int = 2000, leg: int = 1) -> Ask:
    return Ask(session, leg, leg + 1, mode, counter, ttl_ms)


def test_a_grant_opens_once_and_is_renewed_in_silence() -> None:
    grants = Grants()
    assert grants.ask(ask(1), "", 0) == [Change(7, State.OPEN, "", 1, 2)]
    assert grants.ask(ask(2), "", 1000 * MS) == []
    assert grants.expire(2999 * MS) == []
    assert grants.expire(3000 * MS) == [Change(7, State.EXPIRED, "", 1, 2)]
    assert len(grants) == 0


def test_audio_needs_an_open_grant_and_is_what_the_grant_says() -> None:
    grants = Grants()
    assert grants.admit(7, b"", 0) is None
    grants.ask(ask(1), "", 0)
    assert grants.admit(7, b"x", 0) == WhisperAudio(7, 1, b"x")
    grants.ask(ask(2, Mode.BARGE), "", 0)
    assert grants.admit(7, b"x", 0) == BargeAudio(7, 1, 2, b"x")
    assert grants.admit(7, b"x", 2000 * MS) is None, "not yet expired by the clock's tick, but over"


@pytest.mark.parametrize("ttl_ms, lives_ms", [(500, 500), (2000, 2000), (60_000, 2000)])
def test_no_grant_lives_longer_than_2_s_from_receipt(ttl_ms: int, lives_ms: int) -> None:
    grants = Grants()
    grants.ask(ask(ttl_ms=ttl_ms), "", 5 * MS)
    assert grants.expire((5 + lives_ms) * MS - 1) == []
    assert len(grants.expire((5 + lives_ms) * MS)) == 1


def test_a_counter_not_above_the_last_is_ignored_also_after_the_end() -> None:
    grants = Grants()
    grants.ask(ask(5), "", 0)
    assert grants.ask(ask(5, Mode.BARGE), "", 0) == []
    assert grants.asked(7) == ask(5)
    grants.revoke(7)
    assert grants.ask(ask(5), "", 0) == []
    assert grants.asked(7) is None
    assert len(grants.ask(ask(6), "", 0)) == 1


def test_another_mode_or_leg_replaces_the_grant() -> None:
    grants = Grants()
    grants.ask(ask(1), "", 0)
    changes = grants.ask(ask(2, Mode.BARGE), "", 0)
    assert [(change.state, change.reason) for change in changes] == [(State.REVOKED, "replaced"), (State.OPEN, "")]


def test_a_refusal_ends_an_open_grant_and_is_told_once() -> None:
    grants = Grants()
    grants.ask(ask(1), "", 0)
    changes = grants.ask(ask(2), "agent_holds", 0)
    assert [(change.state, change.reason) for change in changes] == [
        (State.REVOKED, "agent_holds"),
        (State.REFUSED, "agent_holds"),
    ]
    assert grants.ask(ask(3), "agent_holds", 0) == []
    assert len(grants.ask(ask(4), "agent_has_two_lines", 0)) == 1
    assert grants.ask(ask(5), "", 0) == [Change(7, State.OPEN, "", 1, 2)]


def test_revoking_is_by_session_by_leg_or_all() -> None:
    grants = Grants()
    for session, leg in ((1, 10), (2, 10), (3, 20)):
        grants.ask(ask(1, session=session, leg=leg), "", 0)
    assert grants.revoke(9) == []
    assert [change.session for change in grants.revoke(1)] == [1]
    assert [change.session for change in grants.revoke_leg(11, "ended")] == [2]
    assert grants.asks(20) == [ask(1, session=3, leg=20)]
    assert [(change.session, change.reason) for change in grants.revoke_all("link_lost")] == [(3, "link_lost")]


def test_a_new_link_begins_with_new_counters() -> None:
    grants = Grants()
    grants.ask(ask(900), "", 0)
    grants.revoke_all("link_lost")
    assert len(grants.ask(ask(1), "", 0)) == 1
