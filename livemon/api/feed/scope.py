"""What one scope sees of the world, as JSON that all its pages share (core).

Every body is a run of JSON members without the braces; the socket puts the type and the number in front, so that
a hundred supervisors of one team cost one encoding.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from livemon.api.feed.world import Batch, Live, World
from livemon.bus.messages import AlertView, CallFigures, PartyName, Principal, Spurt
from livemon.calls.access import allowed

PARTIES: Final[dict[PartyName, int]] = {"agent": 0, "customer": 1, "third": 2, "coach": 3, "machine": 4}

ScopeKey = tuple[bool, tuple[str, ...] | None, tuple[str, ...] | None, bool]

_encode = msgspec.json.Encoder().encode


def scope_key(principal: Principal) -> ScopeKey:
    """Return what two principals must have in common to see the same calls."""
    return principal.all_calls, principal.teams, principal.queues, "view" in principal.rights


class Encoded:
    """JSON of the parts of the world, made once for all scopes; forgotten when the world changes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._version = -1
        self._calls: dict[str, bytes] = {}
        self._figures: dict[str, bytes] = {}

    def call(self, live: Live) -> bytes:
        """Return a call with its index."""
        self._fresh()
        if (done := self._calls.get(live.view.id)) is None:
            done = self._calls[live.view.id] = _encode(live.view)[:-1] + b',"index":%d}' % live.index
        return done

    def figures(self, live: Live, figures: CallFigures) -> bytes:
        """Return the row of numbers of a call, its index first."""
        self._fresh()
        if (done := self._figures.get(live.view.id)) is None:
            row = [live.index, *msgspec.structs.astuple(figures)[1:]]
            # A tenth of a dB is finer than any meter; the other digits would be a third of the row.
            done = _encode([round(value, 1) if isinstance(value, float) else value for value in row])
            self._figures[live.view.id] = done
        return done

    def _fresh(self) -> None:
        if self._version != self._world.version:
            self._version = self._world.version
            self._calls.clear()
            self._figures.clear()


class ScopeView:
    """The calls that principals with one scope may see."""

    def __init__(self, principal: Principal, world: World, encoded: Encoded) -> None:
        self._principal = principal
        self._world = world
        self._encoded = encoded
        self._snapshot: tuple[int, bytes] = (-1, b"")
        self.visible = {id_ for id_, live in world.calls.items() if self._sees(live)}

    def snapshot(self) -> bytes:
        """Return everything this scope sees; pages that ask for the same version share it."""
        version, body = self._snapshot
        if version != self._world.version:
            lives = [live for live in self._world.calls.values() if self._sees(live)]
            body = b",".join(
                (
                    _member(b"calls", map(self._encoded.call, lives)),
                    _member(b"figures", self._figure_rows(lives)),
                    _member(b"spurts", (_spurt(live, spurt) for live in lives for spurt in live.spurts.values())),
                    _member(b"alerts", (_encode(alert) for live in lives for alert in live.alerts.values())),
                    self._nodes(),
                    self._stale(),
                )
            )
            self._snapshot = (self._world.version, body)
        return body

    def delta(self, batch: Batch) -> bytes:
        """Return what `batch` means for this scope, or b"" for nothing; `visible` moves on."""
        calls, gone, came = self._sort(batch)
        members = [
            (b"gone", [_encode(id_) for id_ in gone]),
            (b"calls", [self._encoded.call(live) for live in calls]),
            (b"figures", self._figure_rows(self._lives(dict.fromkeys((*batch.figures, *came))))),
            (b"spurts", self._spurt_rows(batch.spurts, came)),
            (b"alerts", self._alert_rows(batch.alerts, came)),
        ]
        parts = [_member(name, items) for name, items in members if items]
        if batch.nodes:
            parts.append(self._nodes())
        if batch.stale:
            parts.append(self._stale())
        return b",".join(parts)

    def _sees(self, live: Live) -> bool:
        return not allowed(self._principal, "view", live.view)

    def _sort(self, batch: Batch) -> tuple[list[Live], list[str], list[str]]:
        """Return the calls to send, the ids to take away, and the ids that this scope did not see before."""
        gone = [id_ for id_ in batch.gone if id_ in self.visible]
        self.visible.difference_update(gone)
        calls: list[Live] = []
        came: list[str] = []
        for id_ in batch.calls:
            live = self._world.calls[id_]
            if self._sees(live):
                calls.append(live)
                if id_ not in self.visible:
                    came.append(id_)
            elif id_ in self.visible:
                # It was handed to an agent or a queue outside this scope.
                gone.append(id_)
                self.visible.discard(id_)
        self.visible.update(came)
        return calls, gone, came

    def _lives(self, ids: Iterable[str]) -> list[Live]:
        return [self._world.calls[id_] for id_ in ids if id_ in self.visible]

    def _figure_rows(self, lives: Iterable[Live]) -> list[bytes]:
        return [self._encoded.figures(live, live.figures) for live in lives if live.figures is not None]

    def _spurt_rows(self, spurts: Iterable[Spurt], came: list[str]) -> list[bytes]:
        rows = [
            _spurt(self._world.calls[spurt.call], spurt)
            for spurt in spurts
            if spurt.call in self.visible and spurt.call not in came
        ]
        return rows + [_spurt(live, spurt) for live in self._lives(came) for spurt in live.spurts.values()]

    def _alert_rows(self, alerts: Iterable[AlertView], came: list[str]) -> list[bytes]:
        rows = [_encode(alert) for alert in alerts if alert.call in self.visible and alert.call not in came]
        return rows + [_encode(alert) for live in self._lives(came) for alert in live.alerts.values()]

    def _nodes(self) -> bytes:
        return _member(
            b"nodes",
            (
                _encode(
                    {
                        "node": node.name,
                        "calls": node.health.calls if node.health else 0,
                        "sessions": node.health.sessions if node.health else 0,
                        "bridges": node.health.bridges if node.health else (),
                    }
                )
                for node in self._world.nodes.values()
            ),
        )

    def _stale(self) -> bytes:
        return b'"stale":' + _encode(self._world.stale)


def _spurt(live: Live, spurt: Spurt) -> bytes:
    return _encode((live.index, PARTIES[spurt.party], spurt.start_ms, spurt.end_ms, spurt.open))


def _member(name: bytes, items: Iterable[bytes]) -> bytes:
    return b'"' + name + b'":[' + b",".join(items) + b"]"
