"""Supervisor audio in the relay: who may speak, into which streams, and when it must stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableSequence
from typing import Any, Final

from sip_bridge.link import wire

from .commands import Gain
from .g711 import Law, decode
from .grants import Ask, BargeAudio, Change, Grants, Mode, State, WhisperAudio
from .leg import LAWS, Kind, Leg
from .line import Line
from .outbound import AgentOutbound, CustomerOutbound

MOST_GAINS: Final = 1_000
"""Sessions whose gain is remembered; far more than can speak at a time."""


class Speech:
    """The grants over `lines`, and the voices they let in; events go to `events`."""

    def __init__(
        self,
        lines: Mapping[int, Line],
        events: MutableSequence[dict[str, Any]],
        save: Callable[[Line], None],
    ) -> None:
        self._lines = lines
        self._events = events
        self._save = save
        self.grants = Grants()
        self.speaking: set[int] = set()
        """Legs into whose stream somebody speaks."""
        self.refused = 0
        """Chunks without an open grant, out of order or malformed."""
        self._gains: dict[int, tuple[float, float]] = {}

    def hear(self, data: bytes, now: int) -> None:
        """Take one WHISPER frame from control."""
        audio = self._admitted(data, now)
        line = self._lines.get(audio.leg) if audio is not None else None
        if audio is None or line is None or not isinstance(line.out, AgentOutbound):
            self.refused += 1
            return
        line.out.speak(audio, now)
        self.speaking.add(audio.leg)
        if isinstance(audio, BargeAudio):
            customer = self._lines[audio.customer_leg].out
            if isinstance(customer, CustomerOutbound):
                customer.speak(audio, now)
                self.speaking.add(audio.customer_leg)

    def ask(self, ask: Ask, now: int) -> None:
        """Open, renew or refuse a grant."""
        self.apply(self.grants.ask(ask, self._refusal(ask), now), now)

    def review(self, leg: int, now: int) -> None:
        """End the grants on `leg` that would be refused by now."""
        for ask in self.grants.asks(leg):
            reason = self._refusal(ask)
            if reason:
                self.apply(self.grants.revoke(ask.session, reason), now)

    def tune(self, gain: Gain) -> None:
        """Set a supervisor's level and ducking, now and for later grants of the session."""
        self._gains.pop(gain.session, None)
        self._gains[gain.session] = (gain.whisper_db, gain.duck_db)
        if len(self._gains) > MOST_GAINS:
            del self._gains[next(iter(self._gains))]
        self._tune(gain.session)

    def tick(self, now: int) -> None:
        """End what has expired, and send the generated packets that are due."""
        if len(self.grants):
            self.apply(self.grants.expire(now), now)
        for leg in list(self.speaking):
            line = self._lines[leg]
            if line.out.generate(now):
                self._save(line)
            if not line.out.mixer.speaking(now):
                self.speaking.discard(leg)
                if isinstance(line.out, CustomerOutbound):
                    line.out.rest(now)

    def apply(self, changes: list[Change], now: int) -> None:
        """Tell what has become of grants, and silence those that ended."""
        for change in changes:
            self._events.append(
                {"ev": "grant_state", "session": change.session, "state": change.state.value, "reason": change.reason}
            )
            if change.state is not State.OPEN:
                self._hush(change, now)
        for session in {change.session for change in changes}:
            self._tune(session)

    def _admitted(self, data: bytes, now: int) -> WhisperAudio | BargeAudio | None:
        chunk = wire.decode(data)
        if not isinstance(chunk, wire.WhisperChunk):
            return None
        ask = self.grants.asked(chunk.session)
        line = self._lines.get(ask.leg) if ask is not None else None
        if line is None or not line.out.mixer.advance(chunk.session, chunk.seq):
            return None
        return self.grants.admit(chunk.session, decode(chunk.payload, Law.PCMU), now)

    def _refusal(self, ask: Ask) -> str:
        agent, customer = self._lines.get(ask.leg), self._lines.get(ask.customer_leg)
        if agent is None or customer is None or agent.leg.customer or not customer.leg.customer:
            return "no_such_leg"
        if agent.leg.peer != ask.customer_leg:
            return "no_such_leg"
        if agent.proof_failed:
            return "proof_failed"
        if agent.leg.two_lines:
            return "agent_has_two_lines"
        if not agent.leg.send:
            # The agent's phone takes no audio: it has put the other side on hold.
            return "agent_holds"
        legs = (agent.leg, customer.leg) if ask.mode is Mode.BARGE else (agent.leg,)
        return "" if all(map(_mixable, legs)) and _plain(customer.leg) else "codec_not_supported"

    def _hush(self, change: Change, now: int) -> None:
        for leg in (change.leg, change.customer_leg):
            line = self._lines.get(leg)
            if line is not None:
                line.out.hush(change.session)
                if isinstance(line.out, CustomerOutbound):
                    line.out.rest(now)

    def _tune(self, session: int) -> None:
        ask = self.grants.asked(session)
        gains = self._gains.get(session)
        if ask is None or gains is None:
            return
        for leg in (ask.leg, ask.customer_leg) if ask.mode is Mode.BARGE else (ask.leg,):
            if leg in self._lines:
                self._lines[leg].out.mixer.tune(session, *gains)


def _mixable(leg: Leg) -> bool:
    return any(leg.kinds[number] in LAWS for number in leg.codecs)


def _plain(customer: Leg) -> bool:
    """Tell whether what the customer's phone last sent, if anything, is a codec we can mix into."""
    return not customer.packets or customer.kind != Kind.OTHER
