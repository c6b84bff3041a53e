"""Relays what is neither a call nor part of one: REGISTER above all, and SUBSCRIBE, NOTIFY, MESSAGE and the like.

Phones register to the telephone system through us. Call-ID, tags, sequence numbers and challenges pass untouched, so
that authentication stays between phone and telephone system. The Contact is replaced by one of ours whose user part
is an opaque token; requests to the token go to the phone, at the address it was last heard from. Responses show each
phone the Contact it wrote itself. Subscriptions work the same way: both ends' Contacts become tokens.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sip_bridge.hooks import Hop, Journal, Refuse, Router, no_journal
from sip_bridge.message import Header, Request, Response
from sip_bridge.transaction_layer import TransactionLayer
from sip_bridge.transaction_server import ServerTransaction
from sip_bridge.transaction_timers import Timer
from sip_bridge.uri import Address, parameters, parse_address, parse_uri

DEFAULT_EXPIRES: Final = 3600
"""Seconds, when nobody says (RFC 3261, 10.2.1.1 suggests an hour)."""
MAX_EXPIRES: Final = 86400
"""Seconds: a day, so that no binding outlives its phone for long."""
GRACE: Final = 32.0
"""Seconds a binding outlives its expiry, and an unconfirmed subscription lives: one transaction."""
_CONTACT_EXPIRES: Final = "expires"
_NEW: Final = frozenset(("via", "contact", "route", "max-forwards", "content-length"))
_NEW_IN_RESPONSE: Final = frozenset(("via", "from", "to", "call-id", "cseq", "contact", "content-length"))


@dataclass(frozen=True, slots=True)
class Binding:
    """A token and what stands behind it; `aor` is '' for the end of a subscription. Times in seconds, monotonic."""

    token: str
    aor: str
    contact: str
    hop: Hop
    expires_at: float


@dataclass(frozen=True, slots=True)
class RegistrarLimits:
    """How much may be kept."""

    bindings: int = 10_000
    """Ten phones for each call one core can relay."""


STANDARD: Final = RegistrarLimits()


class Bindings:
    """The tokens, each with a timer; bounded by whoever asks `full` first."""

    def __init__(self, layer: TransactionLayer, journal: Journal, limits: RegistrarLimits) -> None:
        self._layer = layer
        self._journal = journal
        self._limits = limits
        self._by_token: dict[str, tuple[Binding, Timer]] = {}
        self._tokens: dict[tuple[str, str], str] = {}

    def __len__(self) -> int:
        return len(self._by_token)

    @property
    def full(self) -> bool:
        """Whether no more may be kept."""
        return len(self._by_token) >= self._limits.bindings

    def token(self, aor: str, contact: str) -> str:
        """Return the token of this Contact, a new one if it has none."""
        return self._tokens.get((aor, contact)) or secrets.token_hex(8)

    def at(self, token: str) -> Binding | None:
        """Return the binding of a token."""
        found = self._by_token.get(token)
        return found[0] if found else None

    def of(self, aor: str) -> list[Binding]:
        """Return the bindings of an address of record."""
        return [self._by_token[token][0] for (owner, _), token in self._tokens.items() if owner == aor]

    def keep(self, binding: Binding, now: float) -> None:
        """Add or refresh a binding."""
        if (old := self._by_token.get(binding.token)) is not None:
            old[1].cancel()
        timer = self._layer.timers.arm_coarse(binding.expires_at, partial(self.drop, binding.token))
        self._by_token[binding.token] = (binding, timer)
        self._tokens[binding.aor, binding.contact] = binding.token
        self._journal(binding.token, dump_binding(binding), now)

    def drop(self, token: str, now: float) -> None:
        """Forget a binding."""
        binding, timer = self._by_token.pop(token)
        timer.cancel()
        self._tokens.pop((binding.aor, binding.contact), None)
        self._journal(token, None, now)


def dump_binding(binding: Binding) -> dict[str, Any]:
    """Return a binding as JSON-able data."""
    hop = binding.hop
    return {
        "token": binding.token,
        "aor": binding.aor,
        "contact": binding.contact,
        "hop": [hop.transport, hop.host, hop.port, hop.local],
        "expires_at": binding.expires_at,
    }


@dataclass(slots=True)
class _Relay:
    """One request on its way: who owns its Contacts and which tokens stand for them."""

    tx: ServerTransaction
    aor: str
    hop: Hop
    contacts: dict[str, Address]


class Registrar:
    """Relays requests outside of calls on one transaction layer."""

    def __init__(
        self,
        layer: TransactionLayer,
        router: Router,
        journal: Journal = no_journal,
        limits: RegistrarLimits = STANDARD,
    ) -> None:
        self._layer = layer
        self._router = router
        self._bindings = Bindings(layer, journal, limits)

    def __len__(self) -> int:
        return len(self._bindings)

    def locate(self, request_uri: str) -> Binding | None:
        """Return the binding a request URI names by its token."""
        uri = parse_uri(request_uri)
        return self._bindings.at(uri.user) if uri and uri.user else None

    def dump(self, token: str) -> dict[str, Any] | None:
        """Return a binding as JSON-able data."""
        binding = self._bindings.at(token)
        return dump_binding(binding) if binding else None

    def restore(self, data: Mapping[str, Any], now: float) -> str | None:
        """Take back a dumped binding; its token, or None when it is damaged or has run out."""
        try:
            hop = Hop(*data["hop"])
            texts = [data[name] for name in ("token", "aor", "contact")]
            expires_at = float(data["expires_at"])
        except (KeyError, TypeError, ValueError):
            return None
        if not all(isinstance(text, str) for text in texts) or expires_at <= now or self._bindings.full:
            return None
        self._bindings.keep(Binding(texts[0], texts[1], texts[2], hop, expires_at), now)
        return str(texts[0])

    def relay(self, tx: ServerTransaction, request: Request, now: float) -> None:
        """Relay a request outside any dialog."""
        if self._bindings.full and request.method in ("REGISTER", "SUBSCRIBE"):
            tx.respond(503, now, headers=(("retry-after", "60"),), to_tag=self._layer.new_tag())
            return
        answer = self._router.route(request.method, request.uri, tx.source, request)
        if isinstance(answer, Refuse):
            tx.respond(answer.status, now, answer.reason, to_tag=self._layer.new_tag())
            return
        binding = self.locate(request.uri) or self.locate(answer.request_uri)
        if binding is not None:
            self._send(tx, request, binding.hop, binding.contact, now)
        else:
            self._send(tx, request, answer.hop, answer.request_uri, now)

    def relay_inside(self, tx: ServerTransaction, request: Request, now: float) -> bool:
        """Relay a request inside a subscription; False when its URI is none of our tokens."""
        binding = self.locate(request.uri)
        if binding is None:
            return False
        if request.max_forwards == 0:
            tx.respond(483, now)
        else:
            self._send(tx, request, binding.hop, binding.contact, now)
        return True

    def _send(self, tx: ServerTransaction, request: Request, hop: Hop, uri: str, now: float) -> None:
        aor = _uri_of(request.get("to")) if request.method == "REGISTER" else ""
        relay = _Relay(tx, aor, hop, {})
        headers: list[Header] = [("max-forwards", str(request.max_forwards - 1))]
        headers += [header for header in request.headers if header[0] not in _NEW]
        headers += [("contact", self._own(relay, item, hop)) for item in request.items("contact")]
        if not aor:
            # A NOTIFY may come before the answer to its SUBSCRIBE (RFC 6665, 4.1.2.4): bind at once, for a moment.
            for token, address in relay.contacts.items():
                self._bind(token, "", address.uri, tx.source, GRACE, now)
        forwarded = Request(request.method, uri, headers, request.body, None, request.cseq)
        self._layer.send_request(forwarded, hop, partial(self._on_response, relay), now)

    def _own(self, relay: _Relay, item: str, towards: Hop) -> str:
        """Replace one Contact by ours; `*` and what cannot be read stay as they are."""
        address = parse_address(item)
        if address is None or parse_uri(address.uri) is None:
            return item
        token = self._bindings.token(relay.aor, address.uri)
        relay.contacts[token] = address
        return f"{self._layer.contact(towards, token)}{address.tail}"

    def _on_response(self, relay: _Relay, response: Response, now: float) -> None:
        success = 200 <= response.status < 300
        method = relay.tx.request.method
        if success and method == "REGISTER":
            self._registered(relay, response, now)
        elif success and method == "SUBSCRIBE":
            self._subscribed(relay, response, now)
        headers = [header for header in response.headers if header[0] not in _NEW_IN_RESPONSE]
        headers += [("contact", self._theirs(relay, item, success, now)) for item in response.items("contact")]
        # RFC 4320, 4.1: a 408 to anything but INVITE only comes too late.
        status = 504 if response.generated and response.status == 408 else response.status
        to_tag = response.to_tag or self._layer.new_tag()
        relay.tx.respond(status, now, response.reason, headers, response.body, to_tag)

    def _registered(self, relay: _Relay, response: Response, now: float) -> None:
        """Take over what the registrar says is bound for this address of record (RFC 3261, 10.3, 8)."""
        present: set[str] = set()
        for item in response.items("contact"):
            address = parse_address(item)
            token = self._token_in(address)
            if address is None or token is None:
                continue
            present.add(token)
            if token in relay.contacts:
                expires = _expires(response, parameters(address.tail).get(_CONTACT_EXPIRES))
                self._bind(token, relay.aor, relay.contacts[token].uri, relay.tx.source, expires + GRACE, now)
        for binding in self._bindings.of(relay.aor):
            if binding.token not in present:
                self._bindings.drop(binding.token, now)

    def _subscribed(self, relay: _Relay, response: Response, now: float) -> None:
        expires = _expires(response, None)
        for token, address in relay.contacts.items():
            self._bind(token, "", address.uri, relay.tx.source, expires + GRACE, now)

    def _theirs(self, relay: _Relay, item: str, success: bool, now: float) -> str:
        """Write a Contact of a response for the requester: his own back, anybody else's as a token of ours."""
        address = parse_address(item)
        token = self._token_in(address)
        if address is None or (token is None and relay.aor):
            return item
        if token is not None:
            known = relay.contacts.get(token)
            binding = self._bindings.at(token)
            uri = known.uri if known else binding.contact if binding else address.uri
            return f"<{uri}>{address.tail}"
        if not success or self._bindings.full:
            return item
        token = self._bindings.token("", address.uri)
        self._bind(token, "", address.uri, relay.hop, DEFAULT_EXPIRES + GRACE, now)
        return f"{self._layer.contact(relay.tx.source, token)}{address.tail}"

    def _token_in(self, address: Address | None) -> str | None:
        """Return the user part when it is a token's: 16 hexadecimal digits at one of our own addresses."""
        uri = parse_uri(address.uri) if address else None
        if uri is None or len(uri.user) != 16:
            return None
        advertised = self._layer.advertised
        own = (uri.host, uri.port or 5060) in (*advertised.udp, *advertised.tcp)
        return uri.user if own else None

    def _bind(self, token: str, aor: str, contact: str, hop: Hop, lifetime: float, now: float) -> None:
        if not self._bindings.full or self._bindings.at(token) is not None:
            self._bindings.keep(Binding(token, aor, contact, hop, now + lifetime), now)


def _uri_of(value: str | None) -> str:
    address = parse_address(value or "")
    return address.uri.lower() if address else "-"


def _expires(response: Response, text: str | None) -> float:
    """Return a lifetime in seconds: the Contact's own, else the response's, else the default; bounded."""
    for candidate in (text, response.get("expires")):
        if candidate is not None and candidate.isascii() and candidate.isdigit() and len(candidate) <= 10:
            return float(min(int(candidate), MAX_EXPIRES))
    return float(DEFAULT_EXPIRES)
