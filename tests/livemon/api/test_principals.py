from __future__ import annotations

from dataclasses import replace

from livemon.api.principals import RIGHTS, ROLES, principal_of, seen_by
from livemon.store.records import User

SUE = User("u1", "sue", "Sue", "supervisor", False, 0, teams=("blue",), queues=("sales",))


def test_every_role_has_its_rights_and_an_unknown_one_none() -> None:
    assert set(RIGHTS) == set(ROLES)
    assert principal_of(replace(SUE, role="root")).rights == ()


def test_scopes_become_lists_and_a_star_becomes_all() -> None:
    assert (principal_of(SUE).teams, principal_of(SUE).queues) == (("blue",), ("sales",))
    for everywhere in (replace(SUE, teams=("*",)), replace(SUE, queues=("*",))):
        principal = principal_of(everywhere)
        assert (principal.teams, principal.queues, principal.all_calls) == (None, None, False)


def test_without_a_scope_nothing_is_seen() -> None:
    assert (principal_of(replace(SUE, teams=(), queues=())).teams) == ()


def test_admins_alone_see_unassigned_calls_and_the_whole_trail() -> None:
    admin = principal_of(replace(SUE, role="admin", teams=()))
    assert admin.all_calls and admin.teams is None and seen_by(admin).everything
    assert not seen_by(principal_of(SUE)).everything
