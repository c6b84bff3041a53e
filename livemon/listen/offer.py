"""A browser's SDP offer read, and our answer written (RFC 8866, RFC 8829).

Audio m-lines are slots in the order of the offer: 0 agent (sendrecv: the microphone's slot), 1 customer, 2 others.
Anything else is rejected with port 0. A bad offer gives a `BadOffer`, never an exception.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from livemon.errors import Refused
from livemon.listen.rtp import STATIC
from livemon.reasons import status

SLOTS: Final = ("agent", "customer", "others")
PREFERENCE: Final = ("PCMU", "PCMA", "G722", "OPUS")
"""PCMU first: the browser sends the microphone in the first codec of the answer, and the bridge mixes mu-law."""
MAX_OFFER: Final = 32_768
"""Characters; a Chromium offer with three audio lines has about 4,500."""
_MAX_LINES: Final = 8
_RTPMAP: Final = re.compile(r"(\d{1,3}) ([A-Za-z0-9-]+)/(\d+)")
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/_.:{}-]{1,256}")
_FINGERPRINT: Final = re.compile(r"(sha-256|sha-384|sha-512) ([0-9A-Fa-f:]{95,191})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BadOffer:
    """Why an offer cannot be answered."""

    reason: str


@dataclass(slots=True, eq=False)
class OfferLine:
    """One m-line: `codecs` maps codec names to the payload type the browser wants."""

    media: str
    profile: str
    formats: tuple[str, ...]
    mid: str = ""
    direction: str = "sendrecv"
    codecs: dict[str, int] = field(default_factory=dict)
    fmtp: dict[int, str] = field(default_factory=dict)

    @property
    def is_audio(self) -> bool:
        """Whether it can become a slot."""
        return self.media == "audio" and any(codec in self.codecs for codec in PREFERENCE)


@dataclass(slots=True)
class Offer:
    """What is needed of an offer; `setup` as the browser wrote it."""

    ufrag: str = ""
    fingerprints: list[tuple[str, str]] = field(default_factory=list)
    setup: str = ""
    lines: list[OfferLine] = field(default_factory=list)

    @property
    def slots(self) -> list[OfferLine]:
        """The audio lines that become slots, in order."""
        return [line for line in self.lines if line.is_audio][: len(SLOTS)]


@dataclass(frozen=True, slots=True)
class Local:
    """Our side of an answer; `ssrcs` one per slot."""

    ufrag: str
    password: str
    fingerprint: str
    addresses: Sequence[str]
    port: int
    cname: str
    ssrcs: Sequence[int]


def understood(text: str) -> Offer:
    """Read an offer; raises Refused when it cannot be answered."""
    offer = parse(text)
    if isinstance(offer, BadOffer):
        raise Refused("bad_sdp", f"The offer cannot be answered: {offer.reason}.", status("bad_sdp"))
    return offer


def parse(text: str) -> Offer | BadOffer:
    """Read an offer."""
    if len(text) > MAX_OFFER or not text.startswith("v=0"):
        return BadOffer("not_sdp")
    offer = Offer()
    for line in text.splitlines():
        if line.startswith("m="):
            parts = line[2:].split()
            if len(parts) < 4 or len(offer.lines) == _MAX_LINES:
                return BadOffer("bad_m_line")
            formats = tuple(f for f in parts[3:] if f.isascii() and f.replace("-", "").isalnum())
            offer.lines.append(OfferLine(parts[0], parts[2], formats))
        elif line.startswith("a="):
            _attribute(offer, line[2:])
    return _checked(offer)


def _checked(offer: Offer) -> Offer | BadOffer:
    if not offer.slots:
        return BadOffer("no_audio")
    if not offer.ufrag or not offer.fingerprints:
        return BadOffer("no_transport")
    if offer.setup not in ("actpass", "passive"):
        # RFC 8842, 5.2: an offer carries actpass; "passive" lets us be the DTLS client all the same.
        return BadOffer("bad_setup")
    return offer


def _attribute(offer: Offer, text: str) -> None:
    name, _, value = text.partition(":")
    if name == "ice-ufrag" and _TOKEN.fullmatch(value):
        offer.ufrag = offer.ufrag or value
    elif name == "setup":
        offer.setup = offer.setup or value
    elif name == "fingerprint" and (found := _FINGERPRINT.fullmatch(value)):
        pair = (found[1].lower(), found[2].upper())
        if pair not in offer.fingerprints:
            offer.fingerprints.append(pair)
    elif offer.lines:
        _line_attribute(offer.lines[-1], name, value)


def _line_attribute(line: OfferLine, name: str, value: str) -> None:
    if name == "mid" and _TOKEN.fullmatch(value):
        line.mid = value
    elif name in ("sendrecv", "sendonly", "recvonly", "inactive"):
        line.direction = name
    elif name == "rtpmap" and (found := _RTPMAP.match(value)):
        codec, payload_type = found[2].upper(), int(found[1])
        # RFC 3551: G722 is written with 8000; 48000 is Opus' only clock (RFC 7587, 4.1).
        if payload_type < 128 and codec in PREFERENCE and found[3] in ("8000", "48000"):
            line.codecs.setdefault(codec, payload_type)
    elif name == "fmtp":
        number, _, parameters = value.partition(" ")
        if number.isdecimal() and len(number) <= 3:
            line.fmtp[int(number)] = parameters


def slot_codecs(line: OfferLine) -> dict[str, int]:
    """Return codec name -> payload type of a slot, best first."""
    return {codec: line.codecs[codec] for codec in PREFERENCE if codec in line.codecs}


def answer(offer: Offer, local: Local) -> str:
    """Return our answer: ICE-lite, one bundled transport, every supported codec kept."""
    slots = offer.slots
    mids = " ".join(line.mid for line in slots)
    lines = [
        "v=0",
        f"o=- {local.ssrcs[0]} 2 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        f"a=group:BUNDLE {mids}",
        "a=msid-semantic:WMS *",
    ]
    for line in offer.lines:
        if line in slots:
            lines += _slot(line, slots.index(line), local)
        else:
            # RFC 3264, 6: port zero rejects a stream; its mid stays, so that the browser can match the lines.
            lines += [f"m={line.media} 0 {line.profile} {' '.join(line.formats) or '0'}", "c=IN IP4 0.0.0.0"]
            lines += [f"a=mid:{line.mid}", "a=inactive"]
    return "\r\n".join(lines) + "\r\n"


def _slot(line: OfferLine, index: int, local: Local) -> list[str]:
    codecs = slot_codecs(line)
    receives = index == 0 and line.direction in ("sendrecv", "sendonly")
    sends = line.direction in ("sendrecv", "recvonly")
    direction = {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}
    host = local.addresses[0]
    lines = [
        f"m=audio {local.port} {line.profile} {' '.join(str(number) for number in codecs.values())}",
        f"c=IN {'IP6' if ':' in host else 'IP4'} {host}",
        f"a=mid:{line.mid}",
        f"a={direction.get((sends, receives), 'inactive')}",
        "a=rtcp-mux",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.password}",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        "a=setup:active",
    ]
    lines += [_rtpmap(codec, number) for codec, number in codecs.items()]
    lines += [f"a=fmtp:{n} {line.fmtp[n]}" for n in codecs.values() if n in line.fmtp]
    lines += ["a=ptime:20", f"a=msid:livemon {SLOTS[index]}", f"a=ssrc:{local.ssrcs[index]} cname:{local.cname}"]
    # In every line, because some clients read the candidates of the last bundled line only.
    lines += [_candidate(i, address, local.port) for i, address in enumerate(local.addresses)]
    return [*lines, "a=end-of-candidates"]


def _rtpmap(codec: str, number: int) -> str:
    if codec == "OPUS":
        return f"a=rtpmap:{number} opus/48000/2"
    return f"a=rtpmap:{number} {codec}/8000"


def _candidate(index: int, address: str, port: int) -> str:
    # RFC 8445, 5.1.2.1: type preference 126 for host; the local preference falls with the order of the addresses.
    priority = (126 << 24) + ((65535 - index) << 8) + 255
    return f"a=candidate:{index + 1} 1 udp {priority} {address} {port} typ host"


def source_codec(payload_type: int, codec: str, codecs: Mapping[int, str]) -> str:
    """Return the codec name of a tapped packet: as negotiated, else by RFC 3551, else the leg's main codec."""
    return codecs.get(payload_type) or STATIC.get(payload_type) or codec
