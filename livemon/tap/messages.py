"""The JSON messages of the link, both directions; `docs/link-protocol.md` is the document of record."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from livemon.bus.messages import CallState, Mode, PartyName

VERSION = 1

U32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Ns = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""Nanoseconds of the bridge's CLOCK_MONOTONIC."""
UtcMs = Annotated[int, Meta(ge=0, le=2**53)]
Tick = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(max_length=512)]
"""Anything a SIP message may have put there; longer texts are refused rather than cut in the middle."""


class Hello(msgspec.Struct, frozen=True, tag_field="t", tag="hello"):
    """The first message of a bridge."""

    version: int
    bridge: Name
    boot: Text
    mono_ns: Ns
    utc_ms: UtcMs
    oldest_tick: Tick = 0
    newest_tick: Tick = 0


class Identity(msgspec.Struct, frozen=True):
    """What SIP said about who is on the line."""

    agent: tuple[Text, ...] = ()
    queue: Text = ""
    customer: Text = ""


class Leg(msgspec.Struct, frozen=True):
    """One party's media; `codecs` maps payload types (as text) to codec names when the bridge says so."""

    leg: U32
    party: PartyName
    codec: Text = ""
    clock: int = 8000
    held: bool = False
    remote: bool = True
    codecs: dict[str, Text] = {}


class Segment(msgspec.Struct, frozen=True, tag_field="t", tag="segment"):
    """The whole state of one segment."""

    id: Name
    interaction: Name
    trunk: Text
    placement: Literal["station", "trunk"]
    role: Literal["primary", "consult", "internal", "conference"]
    direction: Literal["inbound", "outbound", "internal"]
    state: CallState
    state_since_ns: Ns
    started_ns: Ns
    bridge: Text = ""
    hold_by: Literal["", "agent", "customer"] = ""
    answered_ns: Ns | None = None
    ended_ns: Ns | None = None
    cause: Text = ""
    call_ids: tuple[Text, ...] = ()
    identity: Identity = Identity()
    legs: tuple[Leg, ...] = ()
    capabilities: tuple[Text, ...] = ()
    refused: dict[str, Text] = {}


class Announced(msgspec.Struct, frozen=True, tag_field="t", tag="announced"):
    """Every live segment has been named."""


class Anchor(msgspec.Struct, frozen=True, tag_field="t", tag="anchor"):
    """The two clocks of the bridge at one instant."""

    mono_ns: Ns
    utc_ms: UtcMs


class Origin(msgspec.Struct, frozen=True, tag_field="t", tag="origin"):
    """An interval in which packets towards the customer were not plain passthrough; `segment` "" when it is over."""

    segment: Text
    leg: U32
    origin: Text
    start_ns: Ns
    end_ns: Ns | None = None
    session: int = 0


class Proof(msgspec.Struct, frozen=True, tag_field="t", tag="proof"):
    """The run-time proof of a leg failed; `segment` "" when it is over."""

    segment: Text
    leg: U32
    mismatches: int
    at_ns: Ns


class GrantState(msgspec.Struct, frozen=True, tag_field="t", tag="grant_state"):
    """The life of a grant."""

    session: U32
    state: Literal["open", "expired", "revoked", "refused"]
    reason: Text = ""


class Dropped(msgspec.Struct, frozen=True, tag_field="t", tag="dropped"):
    """Tap frames the bridge had to drop."""

    frames: int
    since_ns: Ns = 0


FromBridge = Hello | Segment | Announced | Anchor | Origin | Proof | GrantState | Dropped


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message of a kind this node does not know: a newer bridge."""

    kind: str


@dataclass(frozen=True, slots=True)
class BadMessage:
    """Why a message was refused."""

    reason: str


class _Kind(msgspec.Struct):
    t: str


_KINDS: dict[str, type[FromBridge]] = {
    "hello": Hello,
    "segment": Segment,
    "announced": Announced,
    "anchor": Anchor,
    "origin": Origin,
    "proof": Proof,
    "grant_state": GrantState,
    "dropped": Dropped,
}


def decode(text: str) -> FromBridge | Ignored | BadMessage:
    """Decode one message of a bridge; never raises."""
    try:
        kind = msgspec.json.decode(text, type=_Kind).t
        if (wanted := _KINDS.get(kind)) is None:
            return Ignored(kind[:64])
        return msgspec.json.decode(text, type=wanted)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return BadMessage(str(error))


def _text(**members: object) -> str:
    return msgspec.json.encode(members).decode()


def welcome(node: str, resume_tick: int | None) -> str:
    """Return the answer to `hello`: replay what follows `resume_tick`, None for nothing."""
    return _text(t="welcome", version=VERSION, node=node, resume_tick=resume_tick)


def listen(legs: Collection[int], on: bool) -> str:
    """Return the request to flush `legs` every 2 ms, or no longer."""
    return _text(t="listen", legs=sorted(legs), on=on)


def grant(session: int, segment: str, mode: Mode, counter: int, ttl_ms: int) -> str:
    """Return a grant that is opened or renewed for `ttl_ms` from receipt."""
    return _text(t="grant", session=session, segment=segment, mode=mode, counter=counter, ttl_ms=ttl_ms)


def revoke(session: int) -> str:
    """Return the end of a grant."""
    return _text(t="revoke", session=session)


def gain(session: int, whisper_db: float, duck_db: float) -> str:
    """Return the levels of a grant in dB."""
    return _text(t="gain", session=session, whisper_db=whisper_db, duck_db=duck_db)
