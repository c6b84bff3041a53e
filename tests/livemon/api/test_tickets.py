from __future__ import annotations

from livemon.api.tickets import LIFETIME_MS, Tickets


def test_a_ticket_is_good_once_and_for_thirty_seconds() -> None:
    tickets = Tickets[str]()
    first, second, third = (tickets.issue("sue", 0) for _ in range(3))
    assert tickets.take(first, LIFETIME_MS - 1) == "sue"
    assert tickets.take(first, LIFETIME_MS - 1) is None
    assert tickets.take(second, LIFETIME_MS) is None
    assert tickets.take("guess", 0) is None
    assert third != second and LIFETIME_MS == 30_000


def test_old_and_too_many_tickets_are_forgotten() -> None:
    tickets = Tickets[int](capacity=2)
    first = tickets.issue(1, 0)
    tickets.issue(2, 0)
    tickets.issue(3, 0)
    assert len(tickets) == 2 and tickets.take(first, 0) is None
    tickets.issue(4, LIFETIME_MS)
    assert len(tickets) == 1
