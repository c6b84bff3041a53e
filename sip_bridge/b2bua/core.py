"""The B2BUA itself: takes requests from the transaction layer and hands each to where it belongs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sip_bridge.b2bua import within
from sip_bridge.b2bua.call import Call
from sip_bridge.b2bua.ending import hang_up
from sip_bridge.b2bua.setup import open_call
from sip_bridge.b2bua.snapshot import dump_call, restore_call
from sip_bridge.b2bua.table import CallTable
from sip_bridge.headers import METHODS
from sip_bridge.hooks import CallObserver, Journal, MediaHook, Refuse, Route, Router, no_journal
from sip_bridge.message import Request
from sip_bridge.registrar import Registrar
from sip_bridge.transaction_layer import COOKIE, TransactionLayer, allow_header
from sip_bridge.transaction_server import ServerTransaction
from sip_bridge.uri import has_foreign_scheme, parse_address, parse_uri


@dataclass(frozen=True, slots=True)
class B2buaSettings:
    """Limits of the B2BUA."""

    max_calls: int = 2000
    """Two and a half times what one core relays in Python (docs/performance.md)."""
    retry_after: int = 10
    """Seconds a caller is asked to wait while we drain or are full."""


STANDARD: Final = B2buaSettings()
INSIDE_ONLY: Final = frozenset(("BYE", "PRACK", "UPDATE"))
"""Methods that make no sense outside a dialog."""


class B2bua:
    """A transparent back-to-back user agent on one transaction layer; see the package docstring."""

    def __init__(
        self,
        layer: TransactionLayer,
        router: Router,
        media: MediaHook,
        observer: CallObserver,
        registrar: Registrar | None = None,
        journal: Journal = no_journal,
        settings: B2buaSettings = STANDARD,
    ) -> None:
        self.draining = False
        self._layer = layer
        self._router = router
        self._registrar = Registrar(layer, router) if registrar is None else registrar
        self._settings = settings
        self._table = CallTable(layer, media, observer, journal)
        layer.user = self

    @property
    def calls(self) -> Mapping[str, Call]:
        """The calls that are not over, by key."""
        return self._table.calls

    @property
    def dialogs(self) -> int:
        """How many dialogs are known, those of calls just ended included."""
        return len(self._table.dialogs)

    @property
    def idle(self) -> bool:
        """Whether nothing would be lost by stopping now."""
        return not self._table.calls and not self._table.dialogs

    def hang_up(self, call: str, reason: str, now: float) -> bool:
        """End a call both ways, BYE or CANCEL; False when there is no such call. `reason` goes into Reason."""
        found = self._table.calls.get(call)
        text = "".join(char for char in reason if char.isascii() and char.isprintable() and char not in '"\\')
        return found is not None and hang_up(self._table, found, text, now)

    def dump(self, call: str) -> dict[str, Any] | None:
        """Return a confirmed call as JSON-able data, None for any other."""
        found = self._table.calls.get(call)
        return dump_call(found) if found else None

    def restore(self, data: Mapping[str, Any], now: float) -> str | None:
        """Take back a dumped call; its key, or None when the record is damaged or the call known already."""
        call = restore_call(data)
        if call is None or call.fork is None or call.key in self._table.calls:
            return None
        self._table.calls[call.key] = call
        self._table.link(call, call.fork)
        return call.key

    # -- TransactionUser

    def on_ack(self, request: Request, now: float) -> None:
        """Take the ACK to a 2xx."""
        place = self._table.find(request)
        if place is not None:
            within.on_ack(self._table, place, request, now)

    def on_request(self, tx: ServerTransaction, request: Request, now: float) -> None:
        """Take a new request."""
        if request.to_tag:
            place = self._table.find(request)
            if place is not None:
                within.on_request(self._table, place, tx, request, now)
            elif request.method == "INVITE" or not self._registrar.relay_inside(tx, request, now):
                tx.respond(481, now, to_tag=self._layer.new_tag())
            return
        refusal = self._unacceptable(request)
        if refusal is not None:
            self._refuse(tx, refusal, now)
        elif request.method == "INVITE":
            self._invite(tx, request, now)
        elif request.method == "OPTIONS" and self._registrar.locate(request.uri) is None:
            self._options(tx, request, now)
        else:
            self._registrar.relay(tx, request, now)

    def _unacceptable(self, request: Request) -> Refuse | None:
        """Return why a request outside any dialog is refused before anybody is asked."""
        if request.method not in METHODS:
            return Refuse(405, "")
        if request.method in INSIDE_ONLY:
            return Refuse(481, "")
        if has_foreign_scheme(request.uri):
            return Refuse(416, "")
        if parse_uri(request.uri) is None:
            return Refuse(400, "Bad Request-URI")
        # RFC 4475, 3.3.11 lets us answer an OPTIONS ping all the same: it goes no further.
        if request.max_forwards == 0 and request.method != "OPTIONS":
            return Refuse(483, "")
        return None

    def _refuse(self, tx: ServerTransaction, refusal: Refuse, now: float) -> None:
        headers = [allow_header()] if refusal.status == 405 else []
        if refusal.status == 503:
            headers.append(("retry-after", str(self._settings.retry_after)))
        tx.respond(refusal.status, now, refusal.reason, headers, to_tag=self._layer.new_tag())

    def _options(self, tx: ServerTransaction, request: Request, now: float) -> None:
        """Answer a ping (RFC 3261, 11.2)."""
        required = request.items("require")
        tag = self._layer.new_tag()
        if required:
            # RFC 3261, 8.2.2.3: we ourselves support no extension outside a call.
            tx.respond(420, now, headers=(("unsupported", ", ".join(required)),), to_tag=tag)
            return
        headers = (allow_header(), ("accept", "application/sdp, multipart/mixed"), ("supported", "replaces"))
        tx.respond(200, now, headers=headers, to_tag=tag)

    def _invite(self, tx: ServerTransaction, request: Request, now: float) -> None:
        if self.draining or len(self._table.calls) >= self._settings.max_calls:
            self._refuse(tx, Refuse(503, "Draining" if self.draining else "Full"), now)
            return
        refusal = _bad_invite(request)
        if refusal is not None:
            self._refuse(tx, refusal, now)
            return
        answer = self._router.route("INVITE", request.uri, tx.source, request)
        if isinstance(answer, Refuse):
            self._refuse(tx, answer, now)
            return
        route, pinned = self._located(request.uri, answer)
        open_call(self._table, self._layer.new_id(12), route, pinned, tx, request, now)

    def _located(self, uri: str, route: Route) -> tuple[Route, bool]:
        """Return the route with the phone in it when `uri` names one registered through us."""
        binding = self._registrar.locate(uri) or self._registrar.locate(route.request_uri)
        if binding is None:
            return route, False
        return replace(route, hop=binding.hop, request_uri=binding.contact), True


def _bad_invite(request: Request) -> Refuse | None:
    """Return what is wrong with an INVITE that parsed."""
    via = request.via
    if not request.from_tag and via is not None and via.branch.startswith(COOKIE):
        # RFC 3261, 8.1.1.3 wants a tag; only an RFC 2543 caller may leave it out.
        return Refuse(400, "Missing From Tag")
    contacts = request.items("contact")
    if contacts:
        address = parse_address(contacts[0])
        if address is None or parse_uri(address.uri) is None:
            return Refuse(400, "Bad Contact")
    return None
