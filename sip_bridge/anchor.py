"""Media anchoring: both phones are made to send to the bridge, and nothing else of their offers is changed.

A core behind `MediaHook`: bodies go in and come out rewritten, commands for the media process are drained. One call has
two legs, one for each side; a leg is the socket that phone talks to. The first audio m-line in use is anchored; other
m-lines are sent on with port 0, so both ends agree that they are off (RFC 3264, 6). A body without plain RTP audio (fax
alone, SRTP) goes through untouched: the media then flows past the bridge, the call lives, and the reason is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from sip_bridge.hooks import SdpRole, Side
from sip_bridge.legs import CallMedia, End, MediaView, Placement, Remote, remote_of
from sip_bridge.ports import PortPool
from sip_bridge.sdp import BadSdp, Direction, Media, Sdp, connection, is_null, parse

MIXABLE: Final = frozenset({"PCMU", "PCMA"})
"""Codecs the media process can mix into and the node can decode; an answer with another one runs unmonitored."""
SIGNALS: Final = frozenset({"TELEPHONE-EVENT", "CN", "RED"})
"""Payload formats that ride beside a voice codec and are never the codec of a call."""

# Attributes that would lead media past the anchor (RFC 8445 candidates, RFC 9143 bundles), or promise what the
# relay does not do: it terminates RTCP on the odd port (RFC 5761) and carries no keys (RFC 4568, RFC 8643).
_STRIPPED: Final = (
    "candidate", "end-of-candidates", "remote-candidates", "ice-ufrag", "ice-pwd", "ice-options", "ice-lite",
    "rtcp-mux", "rtcp-mux-only", "group", "mid", "crypto", "fingerprint", "setup",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One offer and, when it has come, its answer."""

    sender: Side
    anchored: bool
    direction: Direction = Direction.SENDRECV
    opened: bool = False
    """The direction the agent was told differs from the one the other side wrote."""
    media_index: int = 0
    offered: Remote | None = None
    answer_in: bytes = b""
    answer_out: bytes = b""


@dataclass(slots=True)
class _Call(CallMedia):
    exchange: _Exchange | None = None
    settled: _Exchange | None = None
    """The last exchange that was answered: what holds when a newer offer is refused."""


class Anchor:
    """Anchors the media of every call; `now` is advanced by whoever drives it, before each event."""

    def __init__(self, ports: PortPool, advertise: str, first_leg: int = 1) -> None:
        self.now = 0.0
        self.counters: Counter[str] = Counter()
        self._ports = ports
        self._advertise = advertise
        self.next_leg = first_leg
        self._calls: dict[str, _Call] = {}
        self._call_of_leg: dict[int, str] = {}
        self._touched: set[str] = set()
        self._commands: list[dict[str, Any]] = []

    def place(self, call: str, placement: Placement) -> None:
        """Tell what the configuration says of `call`; its legs reach the media process only after this."""
        self._calls.setdefault(call, _Call()).placement = placement
        self._touched.add(call)

    def two_lines(self, call: str, several: bool) -> None:
        """Tell whether the agent of `call` has another call open."""
        state = self._calls.get(call)
        if state is not None and state.two_lines != several:
            state.two_lines = several
            self._touched.add(call)

    def drain(self) -> list[dict[str, Any]]:
        """Return the commands that bring the media process up to date."""
        for key in sorted(self._touched):
            if (call := self._calls.get(key)) is not None:
                self._commands.extend(call.commands())
        self._touched.clear()
        out, self._commands = self._commands, []
        return out

    def view(self, call: str) -> MediaView:
        """Return the media of `call` as the record of the call shows it."""
        state = self._calls.get(call)
        return MediaView() if state is None else state.view()

    def call_of(self, leg: int) -> str | None:
        """Return the call that `leg` belongs to."""
        return self._call_of_leg.get(leg)

    def resync(self, known: Collection[int]) -> None:
        """Bring a media process that knows these legs in line: close what is not ours, open what it lacks."""
        self._commands.extend({"cmd": "close", "leg": leg} for leg in sorted(set(known) - set(self._call_of_leg)))
        for key, call in self._calls.items():
            if not all(end.leg in known for end in call.ends.values()):
                call.opened = False
                for end in call.ends.values():
                    end.told = None
                self._touched.add(key)

    # MediaHook

    def sdp(self, call: str, sender: Side, role: SdpRole, body: bytes) -> bytes:
        """Return the body to send on to the other side; unchanged when it is not anchored."""
        state = self._calls.setdefault(call, _Call())
        self._touched.add(call)
        if role is SdpRole.OFFER:
            return self._offer(call, state, sender, body)
        return self._answer(state, sender, body)

    def refused(self, call: str, sender: Side) -> None:
        """Go back to what held before the offer of `sender` (RFC 3264, 8)."""
        state = self._calls.get(call)
        if state is not None and state.exchange is not None and state.exchange.sender is sender:
            state.exchange = state.settled
            self._touched.add(call)

    def ended(self, call: str) -> None:
        """Close the legs of `call` and rest their ports."""
        state = self._calls.pop(call, None)
        if state is None:
            return
        for end in state.ends.values():
            self._ports.give(end.port, self.now)
            self._call_of_leg.pop(end.leg, None)
            if state.opened:
                self._commands.append({"cmd": "close", "leg": end.leg})

    # offers and answers

    def _offer(self, key: str, call: _Call, sender: Side, body: bytes) -> bytes:
        sdp = parse(body)
        reason = _unfit(sdp)
        if not reason and not call.ends and not self._allocate(key, call):
            reason = "no_ports"
        if reason or isinstance(sdp, BadSdp):
            self.counters[reason] += 1
            call.exchange = _Exchange(sender, anchored=False)
            call.refused = reason
            return body
        part = _audio(sdp)
        assert part is not None  # _unfit has looked
        placement = call.placement or Placement()
        direction = sdp.direction(part)
        opens = placement.open_ear and placement.agent is sender.other and sdp.holds(part)
        offered = remote_of(sdp, part)
        call.exchange = _Exchange(sender, True, direction, opens, sdp.media.index(part), offered)
        out = sdp.copy()
        target = out.media[call.exchange.media_index]
        _reorder(target, placement.codecs)
        # The ear stays open: the agent hears (the supervisor, or nothing) while the other side does not listen.
        self._rewrite(call, sender.other, out, target, Direction.SENDONLY if opens else None)
        return self._finish(call, sender.other, out)

    def _answer(self, call: _Call, sender: Side, body: bytes) -> bytes:
        exchange = call.exchange
        if exchange is None and call.ends:
            # Restarted between offer and answer: the legs are known, and media past them would be lost.
            exchange = _Exchange(sender.other, True, offered=call.ends[sender.other].remote)
        if exchange is None:
            return body
        if exchange.answer_in == body and exchange.answer_out:
            return exchange.answer_out
        sdp = parse(body)
        if not exchange.anchored or isinstance(sdp, BadSdp) or exchange.media_index >= len(sdp.media):
            self._settle_blind(call, exchange)
            return body
        part = sdp.media[exchange.media_index]
        answered = remote_of(sdp, part) if part.port else None
        self._settle(call, exchange, sender, part, answered)
        out = sdp.copy()
        target = out.media[exchange.media_index]
        direction = _answered_direction(call.placement or Placement(), exchange, sdp, part)
        self._rewrite(call, sender.other, out, target, direction)
        result = self._finish(call, sender.other, out)
        call.exchange = call.settled = replace(exchange, answer_in=body, answer_out=result)
        return result

    def _settle(self, call: _Call, exchange: _Exchange, sender: Side, part: Media, answered: Remote | None) -> None:
        told = Direction.SENDONLY if exchange.opened else exchange.direction
        before = call.ends[sender].remote
        if answered and not told.sends:
            # Nothing was offered to it, so "inactive" is no hold of its own (RFC 3264, 6.1); an older one stays.
            answered = replace(answered, holds=before is not None and before.holds)
        call.ends[exchange.sender].remote = exchange.offered if answered else None
        call.ends[sender].remote = answered
        codec = next((one for one in part.codecs if one.name.upper() not in SIGNALS), None)
        call.codec = codec if answered else None
        call.refused = ""
        if codec is not None and answered and codec.name.upper() not in MIXABLE:
            call.refused = "codec_not_supported"
            self.counters["codec_not_supported"] += 1

    def _settle_blind(self, call: _Call, exchange: _Exchange) -> None:
        for end in call.ends.values():
            end.remote = None
        call.codec = None
        call.refused = call.refused or "not_anchored"
        call.settled = exchange

    def _allocate(self, key: str, call: _Call) -> bool:
        ports = [self._ports.take(self.now), self._ports.take(self.now)]
        taken = [port for port in ports if port is not None]
        if len(taken) < 2:
            for port in taken:
                self._ports.give(port, self.now)
            return False
        for side, port in zip(Side, taken, strict=True):
            call.ends[side] = End(self.next_leg, port)
            self._call_of_leg[self.next_leg] = key
            self.next_leg += 1
        return True

    def _rewrite(self, call: _Call, to: Side, sdp: Sdp, part: Media, direction: Direction | None) -> None:
        """Point the audio at our leg towards `to`, and switch the other m-lines off."""
        address = self._address(call, to)
        null = not direction and is_null(sdp.address(part) or "")
        for other in sdp.media:
            if other is not part:
                other.port, other.port_count = 0, None
                other.drop(_STRIPPED)
        if part.port:
            part.port, part.port_count = call.ends[to].port, None
        # A hold by the null address stays one where the ear is not opened (RFC 3264, 8.4).
        line = connection("0.0.0.0" if null else address)
        if sdp.session.first("c") is not None:
            sdp.session.put("c", line)
        if part.first("c") is not None or sdp.session.first("c") is None:
            part.put("c", line, after="i")
        if part.attribute("rtcp") is not None:
            part.drop(["rtcp"])
            part.lines.append(("a", f"rtcp:{call.ends[to].port + 1}"))
        sdp.session.drop(_STRIPPED)
        part.drop(_STRIPPED)
        if direction is not None:
            part.direction = direction

    def _finish(self, call: _Call, to: Side, sdp: Sdp) -> bytes:
        """Number the description: same body, same version; another body, the next version (RFC 3264, 8)."""
        end = call.ends[to]
        words = (sdp.session.first("o") or "").split()
        if len(words) != 6:
            return sdp.to_bytes()
        sdp.session.put("o", "")
        body = sdp.to_bytes().decode("utf-8", "surrogateescape")
        if end.origin is None:
            version = int(words[2]) if words[2].isascii() and words[2].isdigit() else 1
            end.origin = (words[0], words[1], version)
        elif body != end.body:
            end.origin = (end.origin[0], end.origin[1], end.origin[2] + 1)
        end.body = body
        user, session, number = end.origin
        sdp.session.put("o", f"{user} {session} {number} {connection(self._address(call, to))}")
        return sdp.to_bytes()

    def _address(self, call: _Call, to: Side) -> str:
        shown = (call.placement or Placement()).advertise[to is Side.CALLEE]
        return shown or self._advertise

    # the journal

    def dump(self, call: str) -> dict[str, Any] | None:
        """Return the state of `call` as JSON-ready data, or None if it has no legs."""
        state = self._calls.get(call)
        if state is None or not state.ends:
            return None
        return state.dump()

    def restore(self, call: str, data: dict[str, Any], placement: Placement) -> None:
        """Take up `call` as `dump` described it in an earlier life; raises BridgeError on foreign data."""
        media = CallMedia.restored(data, placement)
        self._calls[call] = _Call(media.placement, media.ends, media.opened, media.codec, media.refused)
        self._touched.add(call)
        self._call_of_leg.update({end.leg: call for end in media.ends.values()})
        self._ports.claim(end.port for end in media.ends.values())
        self.next_leg = max([self.next_leg, *(end.leg + 1 for end in media.ends.values())])


def _unfit(sdp: Sdp | BadSdp) -> str:
    """Return why an offer cannot be anchored, or ""."""
    if isinstance(sdp, BadSdp):
        return "sdp_not_understood"
    part = _audio(sdp)
    if part is None:
        return "no_audio"
    if part.proto.upper() not in ("RTP/AVP", "RTP/AVPF"):
        return "encrypted" if "SAVP" in part.proto.upper() else "no_audio"
    # Media goes to addresses; a name would need a lookup on the call path.
    return "" if remote_of(sdp, part) is not None else "host_name"


def _audio(sdp: Sdp) -> Media | None:
    return next((part for part in sdp.media if part.kind.lower() == "audio" and part.port), None)


def _reorder(part: Media, preference: tuple[tuple[str, ...], ...]) -> None:
    """Move the supported formats first, in the order of preference; the others keep their order after them."""
    rank = {name: place for place, names in enumerate(preference) for name in names}
    names = {str(codec.payload_type): codec.name.upper() for codec in part.codecs}
    part.formats.sort(key=lambda text: rank.get(names.get(str(int(text)), ""), len(preference)))


def _answered_direction(placement: Placement, exchange: _Exchange, sdp: Sdp, part: Media) -> Direction | None:
    """Return the direction to write into an answer, or None to leave what stands there."""
    direction = sdp.direction(part)
    if exchange.opened:
        # The agent answered "sendonly"; the holder reads the answer to what it wrote itself (RFC 3264, 6.1).
        if exchange.direction is Direction.INACTIVE or not direction.receives:
            return Direction.INACTIVE
        return Direction.RECVONLY
    holder_answers_agent = placement.agent is exchange.sender and placement.open_ear
    if holder_answers_agent and sdp.holds(part) and exchange.direction.receives:
        return Direction.SENDONLY
    return None
