"""The calls of a bridge, found by key and by dialog; what ends, ends here once."""

from __future__ import annotations

from typing import Final, NamedTuple

from sip_bridge.b2bua.call import Call, CallState, Fork
from sip_bridge.b2bua.snapshot import dump_call
from sip_bridge.dialog import Dialog, DialogEvent, DialogKey
from sip_bridge.hooks import CallEnded, CallEvent, CallObserver, Journal, MediaHook, Side, no_journal
from sip_bridge.message import Request
from sip_bridge.transaction_layer import TransactionLayer
from sip_bridge.uri import parameters

LINGER: Final = 5.0
"""Seconds the dialogs of an ended call are still known, so that a BYE that crossed ours is answered 200."""


class Place(NamedTuple):
    """Where a dialog belongs."""

    call: Call
    fork: Fork
    side: Side

    @property
    def own(self) -> Dialog:
        """The dialog itself."""
        return self.fork.of(self.side)

    @property
    def far(self) -> Dialog:
        """The dialog of the other side."""
        return self.fork.of(self.side.other)


class CallTable:
    """All calls and their dialogs."""

    def __init__(
        self, layer: TransactionLayer, media: MediaHook, observer: CallObserver, journal: Journal = no_journal
    ) -> None:
        self.layer = layer
        self.media = media
        self.observer = observer
        self.journal = journal
        self.calls: dict[str, Call] = {}
        self.dialogs: dict[DialogKey, Place] = {}

    def tell(self, event: CallEvent, now: float) -> None:
        """Tell the observer."""
        self.observer.on_call(event, now)

    def find(self, request: Request) -> Place | None:
        """Return the place of an in-dialog request."""
        return self.dialogs.get((request.call_id, request.to_tag, request.from_tag))

    def link(self, call: Call, fork: Fork) -> None:
        """Make both dialogs of a fork findable."""
        self.dialogs[fork.caller.key] = Place(call, fork, Side.CALLER)
        self.dialogs[fork.callee.key] = Place(call, fork, Side.CALLEE)

    def unlink(self, fork: Fork) -> None:
        """Forget both dialogs of a fork."""
        self.dialogs.pop(fork.caller.key, None)
        self.dialogs.pop(fork.callee.key, None)

    def note(self, call: Call, now: float) -> None:
        """Journal a confirmed call whose dialogs changed."""
        if call.state is CallState.TALKING:
            self.journal(call.key, dump_call(call), now)

    def over(self, call: Call, status: int, reason: str, by: Side | None, now: float) -> None:
        """Tell everybody that the call has ended; its dialogs linger."""
        self.media.ended(call.key)
        self.tell(CallEnded(call.key, status, reason, by), now)
        self.journal(call.key, None, now)

    def remove(self, call: Call, now: float) -> None:
        """Take the call out of the table, and its dialogs a little later."""
        self.calls.pop(call.key, None)
        for fork in call.forks.values():
            fork.caller.feed(DialogEvent.END)
            fork.callee.feed(DialogEvent.END)
        self.layer.timers.arm_coarse(now + LINGER, lambda _: self._forget(call))

    def _forget(self, call: Call) -> None:
        for fork in call.forks.values():
            self.unlink(fork)
        call.forks.clear()
        call.fork = call.pending = call.opening = None

    def joined(self, replaces: str) -> Place | None:
        """Return the place of the dialog that a Replaces value names (RFC 3891, 3)."""
        tags = parameters(replaces)
        key = (replaces.partition(";")[0].strip(), tags.get("to-tag", ""), tags.get("from-tag", ""))
        return self.dialogs.get(key)

    def translate_replaces(self, replaces: str) -> str:
        """Write a Replaces value as the other side of that call knows it; foreign ones stay as they are."""
        place = self.joined(replaces)
        if place is None:
            return replaces
        far = place.far
        early = ";early-only" if "early-only" in parameters(replaces) else ""
        return f"{far.call_id};to-tag={far.remote_tag};from-tag={far.local_tag}{early}"
