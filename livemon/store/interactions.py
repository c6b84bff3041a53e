"""The history of ended interactions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import insert, select

from livemon.store.engine import Store
from livemon.store.records import PastCall
from livemon.store.tables import interactions


class History:
    """Ended interactions in the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, calls: Sequence[PastCall]) -> int:
        """Add those that are not there yet; return how many were new."""
        rows = {call.id: {**asdict(call), "segments": json.dumps(call.segments)} for call in calls}
        if not rows:
            return 0
        async with self._store.write() as connection:
            query = select(interactions.c.id).where(interactions.c.id.in_(list(rows)))
            for known in (await connection.execute(query)).scalars():
                del rows[known]
            if rows:
                await connection.execute(insert(interactions), list(rows.values()))
        return len(rows)

    async def newest(self, limit: int) -> list[PastCall]:
        """Return the interactions that started last, newest first."""
        query = select(interactions).order_by(interactions.c.started_at_ms.desc()).limit(limit)
        async with self._store.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [PastCall(**{**row, "segments": tuple(json.loads(row["segments"]))}) for row in rows]
