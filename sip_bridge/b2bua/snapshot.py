"""Confirmed calls as JSON-able data, so that a restarted process can go on relaying them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sip_bridge.b2bua.call import Call, CallState, Fork
from sip_bridge.dialog import Dialog
from sip_bridge.hooks import Hop, Route, Side

VERSION: Final = 1


def dump_call(call: Call) -> dict[str, Any] | None:
    """Return a confirmed call as data, None for any other."""
    fork = call.fork
    if fork is None or call.state is not CallState.TALKING:
        return None
    route = call.route
    return {
        "version": VERSION,
        "call": call.key,
        "caller": fork.caller.dump(),
        "callee": fork.callee.dump(),
        "route": [_hop(route.hop), route.request_uri, route.trunk_in, route.trunk_out],
        "source": _hop(call.source),
        "refer_ids": [[side.value, ours, theirs] for (side, ours), theirs in call.refer_ids.items()],
    }


def restore_call(data: Mapping[str, Any]) -> Call | None:
    """Make a call of dumped data; None when the record is damaged or of another version."""
    try:
        if data["version"] != VERSION:
            return None
        caller, callee = Dialog.restore(data["caller"]), Dialog.restore(data["callee"])
        hop, request_uri, trunk_in, trunk_out = data["route"]
        route = Route(Hop(*hop), str(request_uri), str(trunk_in), str(trunk_out))
        call = Call(str(data["call"]), route, Hop(*data["source"]))
        refer_ids = {(Side(side), str(ours)): str(theirs) for side, ours, theirs in data["refer_ids"]}
    except (KeyError, TypeError, ValueError):
        return None
    if caller is None or callee is None:
        return None
    call.fork = Fork(caller, callee)
    call.forks[callee.remote_tag] = call.fork
    call.caller_call_id = caller.call_id
    call.caller_tag = caller.local_tag
    call.refer_ids = refer_ids
    call.state = CallState.TALKING
    return call


def _hop(hop: Hop) -> list[Any]:
    return [hop.transport, hop.host, hop.port, hop.local]
