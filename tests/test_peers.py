from __future__ import annotations

import os

import pytest

from tests.peers import find, need


@pytest.mark.parametrize("ci", ["", "true"])
def test_what_is_here_is_no_reason_to_skip(ci: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", ci)
    need("sh")
    assert find("sh")


def test_a_missing_peer_is_skipped_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "false")
    monkeypatch.setattr("tests.peers.find", lambda name: None)
    with pytest.raises(pytest.skip.Exception, match=r"NOT RUN: apt-get install kamailio sip-tester$"):
        need("sipp", "kamailio")


def test_in_ci_a_missing_peer_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install no-such-program"):
        need("sh", "no-such-program")


def test_in_ci_missing_rights_are_a_failure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(pytest.fail.Exception, match="run as root"):
        need("sh", root=True)
