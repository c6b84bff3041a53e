"""The relay: joins what one phone sends to what the other is sent, and does what control says.

No I/O, no clock: packets come in by `packet` or `feed`, go out through the `Ports` given, `now` is CLOCK_MONOTONIC in
nanoseconds. Events and tap frames are drained by the host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from sip_bridge.link.wire import TapRow

from . import commands, memory
from .commands import Address, BadCommand
from .grants import Ask
from .leg import DTMF, LAWS, Current, Dropped, Leg
from .line import TOTALS, Line
from .outbound import AgentOutbound, CustomerOutbound, Origin, Send
from .reports import Reporter
from .speech import Speech
from .state import Record, StateFile
from .tap import FAST_NS, SLOW_NS, Tap

ROUND_NS: Final = 100_000_000
"""One slice of the legs is looked after every 100 ms, so that no turn of the loop is long."""
SLICES: Final = 10
"""Every leg gets a row each second."""
SILENT_S: Final = 10
"""Silence of a leg is told each time it has lasted another 10 s."""
MOST_EVENTS: Final = 10_000
"""Events kept while control is away; some minutes' worth."""
SPEAKING_NS: Final = 1_000_000
"""How often the clock of generated packets is looked at while somebody speaks: a twentieth of a packet."""

Event = dict[str, Any]


class Ports(Protocol):
    """The sockets of the RTP range."""

    def open(self, port: int, leg: int) -> tuple[Send, Send] | None:
        """Let `port` and the port after it be heard; return what sends RTP and RTCP from them, None if not ours."""

    def close(self, port: int) -> None:
        """Let `port` and the port after it be deaf again."""


class Relay:
    """All legs of one media process."""

    def __init__(
        self,
        epoch: int,
        ports: Ports,
        entropy: Callable[[int], bytes],
        *,
        utc_offset_ns: int = 0,
        state: StateFile | None = None,
        first_port: int = 0,
        leak_whisper: bool = False,
    ) -> None:
        self.current = Current()
        self.buffer = self.current.buffer
        """Where the host puts the next packet."""
        self._ports = ports
        self._entropy = entropy
        self._utc_offset_ns = utc_offset_ns
        self._state = state
        self._first_port = first_port
        self._leak = leak_whisper
        self._cname = entropy(8).hex().encode()  # RFC 7022, 4.2: random, and nothing about who we are
        self.lines: dict[int, Line] = {}
        self._taken: set[int] = set()
        self._listened: frozenset[int] = frozenset()
        self.tap = Tap(epoch)
        self.events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self.counters = dict.fromkeys(("commands_refused", "proof_mismatches", "bad_records", "legs_opened"), 0)
        self._past = [0] * len(TOTALS)
        self.speech = Speech(self.lines, self.events, self._save)
        self._round_ns = 0
        self._slice = 0

    # ---- packets

    def packet(self, line: Line, size: int, source: Address, now: int) -> None:
        """Take the RTP packet of `size` octets in `buffer` that came from `source`."""
        leg, current = line.leg, self.current
        payload = leg.receive(size, source, now)
        if payload.__class__ is not bytes:
            if payload is Dropped.RTCP:
                self.report(line, bytes(self.buffer[:size]), source, now)
            return
        target = line.target
        if target is not None:
            if self._leak:
                self._leak_whisper(line, payload, now)
            if target.forward(leg, payload, now):
                # The source is known to one leg's record, the offsets from it to the other's.
                self._save(line)
                self._save(self.lines[target.leg.id])
        tap = self.tap
        if tap.on:
            tap.packet(leg, current, payload, now)
        if current.kind == DTMF and current.timestamp != leg.last_digit:
            leg.last_digit = current.timestamp
            self.events.append({"ev": "dtmf", "leg": leg.id})

    def feed(self, leg: int, data: bytes, source: Address, now: int) -> None:
        """Take one RTP datagram for `leg`."""
        size = min(len(data), len(self.buffer))
        self.buffer[:size] = data[:size]
        self.packet(self.lines[leg], size, source, now)

    def report(self, line: Line, data: bytes, source: Address, now: int) -> None:
        """Take one RTCP datagram: it ends here and is never sent on."""
        line.reporter.take(line.leg, line.out, data, source, now + self._utc_offset_ns, now)

    def whisper(self, data: bytes, now: int) -> None:
        """Take one WHISPER frame from control."""
        self.speech.hear(data, now)

    # ---- time

    def tick(self, now: int) -> list[bytes]:
        """Do what is due, and return the tap frames that are."""
        self.speech.tick(now)
        if now >= self._round_ns:
            self._round_ns = now + ROUND_NS
            self._look_after(now)
        return self.tap.flush(now)

    def period(self) -> int:
        """Return how long `tick` may be put off, in ns."""
        if self.speech.speaking:
            return SPEAKING_NS
        return FAST_NS if self._listened else SLOW_NS

    # ---- commands

    def command(self, data: bytes, now: int) -> None:
        """Do what one JSON message of control says; refuse it with an `error` event if it cannot be done."""
        command = commands.read(data)
        refusal = command.text if isinstance(command, BadCommand) else self._do(command, now)
        if refusal:
            name = command.cmd if isinstance(command, BadCommand) else type(command).__name__.lower()
            self.counters["commands_refused"] += 1
            self.events.append({"ev": "error", "cmd": name, "text": refusal})

    def restore(self, now: int) -> None:
        """Go on with the legs of an earlier life of the process, before anybody says anything."""
        for _, record in self._state.records() if self._state is not None else ():
            try:
                self._restore(record, now)
            except (KeyError, TypeError, ValueError):
                self.counters["bad_records"] += 1
        self.hello()

    def hello(self) -> None:
        """Say which legs are open."""
        self.events.append({"ev": "hello", "epoch": self.tap.epoch, "legs": sorted(self.lines)})

    def _do(self, command: commands.Command, now: int) -> str:
        match command:
            case commands.Open():
                return self._open(command, now)
            case commands.Set():
                return self._set(command, now)
            case commands.Close():
                return self._close(command.leg, now)
            case commands.Listen():
                self._listen(command)
            case commands.TapSwitch():
                self.tap.on = command.on
                for line in self.lines.values():
                    self._save(line)
            case Ask():
                self.speech.ask(command, now)
            case commands.Revoke():
                self.speech.apply(self.speech.grants.revoke(command.session), now)
            case commands.RevokeAll():
                self.speech.apply(self.speech.grants.revoke_all("link_lost"), now)
            case _:
                self._ask_back(command)
        return ""

    def _ask_back(self, command: commands.Command) -> None:
        match command:
            case commands.Gain():
                self.speech.tune(command)
            case commands.Stats():
                self.events.append(self.stats())
            case _:
                self.hello()

    def _open(self, command: commands.Open, now: int) -> str:
        if command.leg in self.lines:
            return f"leg {command.leg} is open"
        if command.port % 2 or command.port in self._taken:
            return f"port {command.port} is odd or taken"
        line = self._line(command, now)
        if line is None:
            return f"port {command.port} is not in the range"
        self.counters["legs_opened"] += 1
        self._pair(command.leg)
        self._save(line)
        return ""

    def _line(self, command: commands.Open, now: int) -> Line | None:
        senders = self._ports.open(command.port, command.leg)
        if senders is None:
            return None
        leg = Leg(command, self.current)
        leg.last_ns = now
        out: AgentOutbound | CustomerOutbound
        if command.customer:
            out = CustomerOutbound(leg, self.current, senders[0], self._entropy, self._alarm, self._origin)
        else:
            out = AgentOutbound(leg, self.current, senders[0], self._entropy)
        reporter = Reporter(senders[0], senders[1], self._cname, self._entropy, now)
        self._taken.add(leg.port)
        line = self.lines[leg.id] = Line(leg, out, reporter)
        return line

    def _set(self, command: commands.Set, now: int) -> str:
        line = self.lines.get(command.leg)
        if line is None:
            return f"leg {command.leg} is not open"
        line.leg.set(command)
        self._pair(command.leg)
        self._save(line)
        self.speech.review(command.leg, now)
        return ""

    def _close(self, leg: int, now: int) -> str:
        line = self.lines.get(leg)
        if line is None:
            return f"leg {leg} is not open"
        self.speech.apply(self.speech.grants.revoke_leg(leg, "ended"), now)
        line.reporter.goodbye(line.leg, line.out, now + self._utc_offset_ns, now)
        self._ports.close(line.leg.port)
        del self.lines[leg]
        self._taken.discard(line.leg.port)
        self._listened -= {leg}
        self.speech.speaking.discard(leg)
        peer = self.lines.get(line.leg.peer)
        if peer is not None and peer.target is line.out:
            peer.target = None
        for index, value in enumerate(line.totals()):
            self._past[index] += value
        if self._state is not None:
            self._state.write(self._slot(line), None)
        return ""

    def _listen(self, command: commands.Listen) -> None:
        self.tap.cut()
        for leg in command.legs:
            line = self.lines.get(leg)
            if line is not None:
                line.leg.listened = command.on
                self._listened = (self._listened | {leg}) if command.on else self._listened - {leg}
                self._save(line)

    def _pair(self, leg: int) -> None:
        """Join the two lines of which `leg` is one, as far as they are there and may be heard."""
        line = self.lines.get(leg)
        peer = self.lines.get(line.leg.peer) if line is not None else None
        if line is None or peer is None or peer.leg.peer != leg:
            return
        line.target = peer.out if line.leg.recv else None
        peer.target = line.out if peer.leg.recv else None

    # ---- proof and origins

    def _alarm(self, agent: Leg) -> None:
        now = agent.last_ns
        line = self.lines[agent.id]
        line.proof_failed = True
        self.counters["proof_mismatches"] += 1
        self.speech.apply(self.speech.grants.revoke_leg(agent.id, "proof_failed"), now)
        customer = self.lines[agent.peer].out
        mismatches = customer.mismatches if isinstance(customer, CustomerOutbound) else 0
        self.events.append({"ev": "proof", "leg": agent.peer, "mismatches": mismatches})
        self._save(line)

    def _origin(self, customer: Leg, origin: Origin, session: int, opened: bool, now: int) -> None:
        self.events.append(
            {
                "ev": "origin",
                "leg": customer.id,
                "origin": origin.value,
                "session": session,
                "open": opened,
                "at_ns": now,
            }
        )
        if customer.id in self.lines:
            self._save(self.lines[customer.id])

    def _leak_whisper(self, line: Line, payload: bytes, now: int) -> None:
        """Break the promise on purpose, as LIVEMON_TEST_LEAK_WHISPER asks: the proof must notice."""
        law = LAWS.get(self.current.kind)
        if line.leg.customer or law is None or not line.out.mixer.active:
            return
        mixed = line.out.mixer.blend(payload, law, now)
        if mixed is not None:
            self.current.view[self.current.start : self.current.end] = mixed

    # ---- time

    def _look_after(self, now: int) -> None:
        self._slice = (self._slice + 1) % SLICES
        rows: list[TapRow] = []
        for line in self.lines.values():
            mine = line.leg.id % SLICES == self._slice
            if mine or line.leg.id in self.speech.speaking:
                rows.append(line.row())
            if mine:
                line.leg.refill()
                self._silent(line.leg, now)
                line.reporter.give(line.leg, line.out, now + self._utc_offset_ns, now)
                if line.leg.learned and line.leg.unsaid:
                    line.leg.unsaid = False
                    self.events.append({"ev": "learned", "leg": line.leg.id, "remote": list(line.leg.source or ())[:2]})
                    self._save(line)
        self.tap.rows(rows)

    def _silent(self, leg: Leg, now: int) -> None:
        seconds = (now - leg.last_ns) // 1_000_000_000
        if seconds // SILENT_S > leg.silent_s // SILENT_S:
            self.events.append({"ev": "silent", "leg": leg.id, "seconds": seconds})
        leg.silent_s = seconds

    # ---- figures and memory

    def stats(self) -> Event:
        """Return the `stats` event: totals of this life of the process, and figures of each leg."""
        totals = list(self._past)
        for line in self.lines.values():
            for index, value in enumerate(line.totals()):
                totals[index] += value
        counters = {**self.counters, **dict(zip(TOTALS, totals, strict=True))}
        counters |= {"legs_open": len(self.lines), "grants_open": len(self.speech.grants), "tap_ticks": self.tap.tick}
        counters["whisper_refused"] = self.speech.refused
        return {"ev": "stats", "counters": counters, "legs": {str(n): v.figures() for n, v in self.lines.items()}}

    def _slot(self, line: Line) -> int:
        return (line.leg.port - self._first_port) // 2

    def _save(self, line: Line) -> None:
        if self._state is not None:
            self._state.write(self._slot(line), memory.freeze(line, self.tap.on))

    def _restore(self, record: Record, now: int) -> None:
        command = memory.opened(record)
        line = None if command.leg in self.lines else self._line(command, now)
        if line is None:
            raise ValueError("the port is not ours, or the leg is there twice")
        try:
            session = memory.thaw(line, record, now)
        except (KeyError, TypeError, ValueError):
            self._ports.close(line.leg.port)
            self._taken.discard(line.leg.port)
            del self.lines[command.leg]
            raise
        self._pair(command.leg)
        self.tap.on = self.tap.on or bool(record["tap"])
        if line.leg.listened:
            self._listened |= {command.leg}
        if session is not None:
            self._origin(line.leg, Origin.BARGE, session, False, now)
