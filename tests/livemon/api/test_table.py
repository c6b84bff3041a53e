from __future__ import annotations

from livemon.api.table import ROUTES

PROMISED = {
    ("POST", "/api/login"),
    ("POST", "/api/logout"),
    ("GET", "/api/me"),
    ("POST", "/api/setup"),
    ("GET", "/api/calls"),
    ("POST", "/api/calls/{id}/listen"),
    ("POST", "/api/sessions/{id}/mode"),
    ("POST", "/api/sessions/{id}/hop"),
    ("PATCH", "/api/sessions/{id}"),
    ("DELETE", "/api/sessions/{id}"),
    ("GET", "/api/sessions"),
    ("POST", "/api/ticket"),
    ("GET", "/api/audit"),
    ("GET", "/api/audit/verify"),
    ("GET", "/api/users"),
    ("POST", "/api/users"),
    ("PATCH", "/api/users/{id}"),
    ("GET", "/api/agents"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
}


def test_the_table_holds_what_scripts_rely_on() -> None:
    assert {(route.method, route.path) for route in ROUTES} >= PROMISED


def test_what_is_open_to_everybody_is_short() -> None:
    public = {route.path for route in ROUTES if route.right == "public"}
    assert public == {"/healthz", "/readyz", "/metrics", "/api/login", "/api/setup"}


def test_every_change_of_a_user_is_audited() -> None:
    assert all(route.audit for route in ROUTES if route.right == "manage" and route.changes)
