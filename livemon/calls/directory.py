"""Finds the agent of a segment in the agent directory."""

from __future__ import annotations

import re
from collections.abc import Iterable

from livemon.bus.messages import Agent, Directory, QueueEntry

EMPTY = Directory(0, (), (), ())

_URI = re.compile(r"<?\s*((?:sips?|tel):[^>;?]+)", re.IGNORECASE)
_PORT = re.compile(r":[0-9]+$")


def address_forms(value: str) -> tuple[str, ...]:
    """Return the lower-case forms under which `value` may stand in the directory, the most exact first.

    An AOR `"A" <sip:201@PBX:5060;x=y>` is looked up as `sip:201@pbx:5060`, `sip:201@pbx`, `201@pbx` and `201`;
    anything else as itself.
    """
    text = value.strip().lower()
    match = _URI.search(text)
    if match is None:
        user, at, host = text.partition("@")
        return (text, user) if at and user and host else (text,) if text else ()
    uri = match.group(1).strip()
    scheme, _, rest = uri.partition(":")
    bare = _PORT.sub("", rest)
    forms = (uri, f"{scheme}:{bare}", bare, bare.partition("@")[0])
    return tuple(dict.fromkeys(form for form in forms if form))


class AgentIndex:
    """The agent directory, looked up by address; ids that belong to nobody give None."""

    def __init__(self, directory: Directory = EMPTY) -> None:
        self.version = directory.version
        self._by_address: dict[str, Agent] = {}
        for agent in directory.agents:
            for address in agent.addresses:
                # The first agent of a shared address keeps it: the directory is in the order people wrote it.
                self._by_address.setdefault(address.strip().lower(), agent)
        self._teams = {team.id: team.name for team in directory.teams}
        self._queues = {queue.id.lower(): queue for queue in directory.queues}

    def match(self, identity: Iterable[str]) -> Agent | None:
        """Return the agent of the first of `identity` (AORs, extensions, header values) that is known."""
        for value in identity:
            for form in address_forms(value):
                if (agent := self._by_address.get(form)) is not None:
                    return agent
        return None

    def team_name(self, team: str) -> str:
        """Return the name of a team, or its id."""
        return self._teams.get(team, team)

    def queue(self, queue: str) -> QueueEntry | None:
        """Return the queue's entry: its id is what the bridge found in the configured header or address."""
        for form in address_forms(queue):
            if (entry := self._queues.get(form)) is not None:
                return entry
        return None
