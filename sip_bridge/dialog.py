"""Dialogs (RFC 3261, 12): tags, sequence numbers, route set and remote target of one peer-to-peer relation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, Final

from sip_bridge.headers import CSeq
from sip_bridge.hooks import Hop
from sip_bridge.message import Header, Request, Response
from sip_bridge.uri import hop_of, parse_address, parse_uri, reach, without_tag


class DialogState(IntEnum):
    """The life of a dialog."""

    CALLING = 0
    """We sent the request that may create it; no tag was learned."""
    EARLY = 1
    CONFIRMED = 2
    ENDED = 3


class DialogEvent(IntEnum):
    """What moves a dialog from state to state."""

    PROVISIONAL = 0
    SUCCESS = 1
    END = 2
    """A BYE, a final failure before confirmation, or a 408/481 inside (RFC 3261, 12.2.1.2)."""


_S, _E = DialogState, DialogEvent
TABLE: Final = {
    (_S.CALLING, _E.PROVISIONAL): _S.EARLY,
    (_S.CALLING, _E.SUCCESS): _S.CONFIRMED,
    (_S.CALLING, _E.END): _S.ENDED,
    (_S.EARLY, _E.PROVISIONAL): _S.EARLY,
    (_S.EARLY, _E.SUCCESS): _S.CONFIRMED,
    (_S.EARLY, _E.END): _S.ENDED,
    (_S.CONFIRMED, _E.PROVISIONAL): _S.CONFIRMED,  # a late or repeated 1xx takes nothing back
    (_S.CONFIRMED, _E.SUCCESS): _S.CONFIRMED,
    (_S.CONFIRMED, _E.END): _S.ENDED,
    (_S.ENDED, _E.PROVISIONAL): _S.ENDED,
    (_S.ENDED, _E.SUCCESS): _S.ENDED,
    (_S.ENDED, _E.END): _S.ENDED,
}
"""(state, event) to next state, complete."""

DialogKey = tuple[str, str, str]
"""Call-ID, our tag, the peer's tag."""


class Dialog:
    """One dialog as we see it; `hop` is where the peer was last heard from or reached.

    `pinned` says that requests go to `hop` whatever the Contact says: the peer sits behind an address translator.
    """

    __slots__ = (
        "call_id", "hop", "invite_cseq", "local", "local_cseq", "local_tag", "pinned",
        "remote", "remote_cseq", "remote_tag", "routes", "state", "target",
    )  # fmt: skip

    def __init__(self, call_id: str, local: str, local_tag: str, remote: str, remote_tag: str, hop: Hop) -> None:
        self.call_id = call_id
        self.local = local
        self.local_tag = local_tag
        self.remote = remote
        self.remote_tag = remote_tag
        self.hop = hop
        self.target = ""
        self.routes: tuple[str, ...] = ()
        self.local_cseq = 0
        self.remote_cseq = -1
        self.invite_cseq = 0
        self.pinned = False
        self.state = DialogState.CALLING

    @classmethod
    def as_server(cls, request: Request, local_tag: str, source: Hop) -> Dialog:
        """Make the dialog of a request that came in (RFC 3261, 12.1.1)."""
        dialog = cls(
            request.call_id,
            without_tag(request.get("to") or ""),
            local_tag,
            without_tag(request.get("from") or ""),
            request.from_tag,
            source,
        )
        dialog.routes = tuple(request.items("record-route"))
        dialog.remote_cseq = request.cseq.number
        dialog.state = DialogState.EARLY
        # RFC 2543 callers may send no Contact: the source address is all we have.
        dialog.target = request.contact or f"sip:{source.host}:{source.port}"
        dialog.pinned = dialog._translated(request)
        return dialog

    @classmethod
    def as_client(cls, call_id: str, local: str, local_tag: str, remote: str, target: str, hop: Hop) -> Dialog:
        """Make the dialog-to-be of a request we send; `local` and `remote` are From and To without tags."""
        dialog = cls(call_id, local, local_tag, remote, "", hop)
        dialog.target = target
        return dialog

    def fork(self, response: Response) -> Dialog:
        """Return the dialog that `response` opens out of this dialog-to-be (RFC 3261, 12.1.2)."""
        child = Dialog(self.call_id, self.local, self.local_tag, self.remote, response.to_tag, self.hop)
        child.target = self.target
        child.local_cseq = self.local_cseq
        child.invite_cseq = self.invite_cseq
        child.pinned = self.pinned
        return child

    @property
    def key(self) -> DialogKey:
        """What requests from the peer are matched by."""
        return (self.call_id, self.local_tag, self.remote_tag)

    def feed(self, event: DialogEvent) -> None:
        """Take one step of the table."""
        self.state = TABLE[self.state, event]

    def learn(self, response: Response) -> None:
        """Take route set and target from a response to the request that creates the dialog."""
        self.feed(DialogEvent.PROVISIONAL if response.status < 200 else DialogEvent.SUCCESS)
        # RFC 3261, 13.2.2.4: the 2xx computes the route set anew.
        self.routes = tuple(reversed(response.items("record-route")))
        self.refresh(response)

    def refresh(self, message: Request | Response) -> bool:
        """Take a new remote target (RFC 3261, 12.2.1.2); tell whether it changed."""
        contact = message.contact
        if contact is None or contact == self.target or parse_uri(contact) is None:
            return False
        self.target = contact
        if not self.pinned:
            self.pinned = self._unreachable(contact)
        return True

    def accept(self, request: Request) -> bool:
        """Note the sequence number of a request; False when it is out of order (RFC 3261, 12.2.2)."""
        if request.cseq.number <= self.remote_cseq:
            return False
        self.remote_cseq = request.cseq.number
        return True

    def request(
        self,
        method: str,
        contact: str,
        headers: Iterable[Header] = (),
        body: bytes = b"",
        cseq: int | None = None,
        max_forwards: int = 70,
    ) -> Request:
        """Build a request inside the dialog (RFC 3261, 12.2.1.1); a new sequence number unless `cseq` is given."""
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        if method == "INVITE":
            self.invite_cseq = cseq
        uri, routes = self._routing()
        to = f"{self.remote};tag={self.remote_tag}" if self.remote_tag else self.remote
        built: list[Header] = [
            ("max-forwards", str(max_forwards)),
            ("from", f"{self.local};tag={self.local_tag}"),
            ("to", to),
            ("call-id", self.call_id),
            ("cseq", f"{cseq} {method}"),
            ("contact", contact),
        ]
        built += [("route", route) for route in routes]
        built += headers
        return Request(method, uri, built, body, None, CSeq(cseq, method))

    def next_hop(self) -> tuple[Hop, Hop | None]:
        """Return where requests go, and for a stream where to connect when the old connection is gone."""
        uri = parse_uri(self.target)
        if self.routes:
            address = parse_address(self.routes[0])
            uri = parse_uri(address.uri) if address else None
        elif self.pinned:
            return self.hop, None
        if uri is None:
            return self.hop, None
        wanted = hop_of(uri, self.hop.transport)
        if wanted.transport == "tcp" and self.hop.transport == "tcp":
            return self.hop, wanted
        if wanted == self.hop:
            return self.hop, None
        return Hop(wanted.transport, wanted.host, wanted.port, self.hop.local), None

    def dump(self) -> dict[str, Any]:
        """Return the dialog as JSON-able data."""
        hop = self.hop
        return {
            "call_id": self.call_id, "local": self.local, "local_tag": self.local_tag, "remote": self.remote,
            "remote_tag": self.remote_tag, "target": self.target, "routes": list(self.routes),
            "local_cseq": self.local_cseq, "remote_cseq": self.remote_cseq, "invite_cseq": self.invite_cseq,
            "pinned": self.pinned, "hop": [hop.transport, hop.host, hop.port, hop.local],
        }  # fmt: skip

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> Dialog | None:
        """Make a confirmed dialog from dumped data; None when they are not such data."""
        try:
            transport, host, port, local = data["hop"]
            texts = [data[name] for name in ("call_id", "local", "local_tag", "remote", "remote_tag", "target")]
            numbers = [data[name] for name in ("local_cseq", "remote_cseq", "invite_cseq")]
            routes = tuple(data["routes"])
        except (KeyError, TypeError, ValueError):
            return None
        if not all(isinstance(text, str) for text in (*texts, *routes, transport, host)):
            return None
        if not all(isinstance(number, int) for number in (*numbers, port, local)):
            return None
        dialog = cls(texts[0], texts[1], texts[2], texts[3], texts[4], Hop(transport, host, port, local))
        dialog.target = texts[5]
        dialog.routes = routes
        dialog.local_cseq, dialog.remote_cseq, dialog.invite_cseq = numbers
        dialog.pinned = data.get("pinned") is True
        dialog.state = DialogState.CONFIRMED
        return dialog

    def _routing(self) -> tuple[str, tuple[str, ...]]:
        """Return request URI and Route values; a first route without `lr` is strict (RFC 3261, 12.2.1.1)."""
        if not self.routes:
            return self.target, ()
        first = parse_address(self.routes[0])
        if first is None or ";lr" in first.uri.lower():
            return self.target, self.routes
        return first.uri, (*self.routes[1:], f"<{self.target}>")

    def _translated(self, request: Request) -> bool:
        """Tell whether an address translator stands before the peer.

        Its Via and its Contact name the same host, and that is not the one its packet came from.
        """
        uri = parse_uri(self.target)
        via = request.via
        if uri is None or via is None:
            return True
        hidden = via.host.strip("[]") == uri.host != self.hop.host
        return (hidden and reach(uri.host) >= 0) or self._unreachable(self.target)

    def _unreachable(self, target: str) -> bool:
        uri = parse_uri(target)
        return uri is None or 0 <= reach(uri.host) < reach(self.hop.host)
