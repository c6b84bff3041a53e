"""Agents, teams and queues in the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from livemon.bus.messages import Agent, Directory, QueueEntry, Team
from livemon.errors import ConfigError
from livemon.store.engine import Store
from livemon.store.tables import agent_addresses, agent_queues, agents, queues, teams

_THRESHOLDS = ("dead_air_warn_ms", "dead_air_alert_ms", "dead_air_critical_ms", "hold_warn_ms", "hold_alert_ms")


class DirectoryStore:
    """The agent directory: written from the configuration, read into the message that nodes get."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def replace(self, directory: Directory) -> None:
        """Make the database hold exactly `directory`; raises ConfigError when it contradicts itself."""
        _check(directory)
        async with self._store.write() as connection:
            await connection.execute(delete(agent_addresses))
            await connection.execute(delete(agent_queues))
            await _upsert(connection, teams, [{"id": team.id, "name": team.name} for team in directory.teams])
            await _upsert(connection, queues, [_queue_row(queue) for queue in directory.queues])
            await _upsert(connection, agents, [_agent_row(agent) for agent in directory.agents])
            await _insert(
                connection,
                agent_addresses,
                [
                    {"agent_id": agent.id, "address": address.lower()}
                    for agent in directory.agents
                    for address in dict.fromkeys(agent.addresses)
                ],
            )
            await _insert(
                connection,
                agent_queues,
                [
                    {"agent_id": agent.id, "queue_id": queue}
                    for agent in directory.agents
                    for queue in dict.fromkeys(agent.queues)
                ],
            )
            # Agents point at teams, so they go first.
            for table, kept in ((agents, directory.agents), (queues, directory.queues), (teams, directory.teams)):
                await connection.execute(delete(table).where(table.c.id.not_in([entry.id for entry in kept])))

    async def load(self, version: int) -> Directory:
        """Return the whole directory, marked with `version`."""
        async with self._store.read() as connection:
            addresses = await _grouped(connection, agent_addresses, "agent_id", "address")
            member_of = await _grouped(connection, agent_queues, "agent_id", "queue_id")
            agent_rows = (await connection.execute(select(agents).order_by(agents.c.id))).all()
            team_rows = (await connection.execute(select(teams).order_by(teams.c.id))).all()
            queue_rows = (await connection.execute(select(queues).order_by(queues.c.id))).all()
        return Directory(
            version,
            tuple(
                Agent(row.id, row.name, row.number, row.team_id or "", member_of[row.id], addresses[row.id])
                for row in agent_rows
            ),
            tuple(Team(row.id, row.name) for row in team_rows),
            tuple(QueueEntry(row.id, row.name, *(getattr(row, name) for name in _THRESHOLDS)) for row in queue_rows),
        )


def _check(directory: Directory) -> None:
    team_ids = {team.id for team in directory.teams}
    owner: dict[str, str] = {}
    for agent in directory.agents:
        if agent.team and agent.team not in team_ids:
            raise ConfigError(f"agent {agent.id}: there is no team {agent.team!r}; add [[team]] id = {agent.team!r}")
        for address in agent.addresses:
            if owner.setdefault(address.lower(), agent.id) != agent.id:
                raise ConfigError(f"address {address!r} belongs to {owner[address.lower()]} and {agent.id}; keep one")


def _queue_row(queue: QueueEntry) -> dict[str, Any]:
    return {"id": queue.id, "name": queue.name} | {name: getattr(queue, name) for name in _THRESHOLDS}


def _agent_row(agent: Agent) -> dict[str, Any]:
    return {"id": agent.id, "name": agent.name, "number": agent.number, "team_id": agent.team or None}


async def _upsert(connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> None:
    known = set((await connection.execute(select(table.c.id))).scalars())
    for row in rows:
        if row["id"] in known:
            await connection.execute(update(table).where(table.c.id == row["id"]).values(**row))
    await _insert(connection, table, [row for row in rows if row["id"] not in known])


async def _insert(connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(insert(table), rows)


async def _grouped(connection: AsyncConnection, table: Table, key: str, value: str) -> dict[str, tuple[str, ...]]:
    rows: Iterable[Any] = (await connection.execute(select(table))).all()
    groups: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, key)].append(getattr(row, value))
    out: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    out.update({name: tuple(sorted(values)) for name, values in groups.items()})
    return out
