"""One leg as a record of the state file, and back."""

from __future__ import annotations

from .commands import Open, Set
from .line import Line
from .outbound import CustomerOutbound
from .state import Record


def freeze(line: Line, tap: bool) -> Record:
    """Return all that a later life of the process needs to go on relaying `line`."""
    leg, out = line.leg, line.out
    codecs = {str(number): name for number, name in leg.codecs.items()}
    return {
        "open": [leg.id, leg.port, leg.customer, leg.peer, leg.segment],
        "set": [leg.remote, leg.rtcp, codecs, leg.ptime, leg.learn, leg.send, leg.recv, leg.held, leg.two_lines],
        "learned": leg.source if leg.learned else None,
        "listened": leg.listened,
        "tap": tap,
        "source": None if leg.renewed else leg.ssrc,
        "out": out.freeze(),
        "barging": out.barging if isinstance(out, CustomerOutbound) else None,
        "proof_failed": line.proof_failed,
    }


def opened(record: Record) -> Open:
    """Return the command that opened the leg.

    Raises:
        KeyError, TypeError, ValueError: the record is of another form.
    """
    leg, port, customer, peer, segment = record["open"]
    return Open(int(leg), int(port), bool(customer), int(peer), str(segment))


def thaw(line: Line, record: Record, now: int) -> int | None:
    """Let the newly opened `line` go on where the record ends; return the session of a barge interval left open.

    Raises:
        KeyError, TypeError, ValueError: the record is of another form.
    """
    remote, rtcp, codecs, ptime, *flags = record["set"]
    learn, send, recv, held, two_lines = map(bool, flags)
    remote, rtcp = (tuple(address) if address else None for address in (remote, rtcp))
    names = {int(number): str(name) for number, name in dict(codecs).items()}
    line.leg.set(Set(line.leg.id, remote, rtcp, names, int(ptime), learn, send, recv, held, two_lines))
    if record["learned"]:
        line.leg.learned_at(tuple(record["learned"]))
    source = record["source"]
    line.leg.resumed, line.leg.renewed = source, source is None
    line.leg.listened = bool(record["listened"])
    line.proof_failed = bool(record["proof_failed"])
    line.out.thaw({name: int(value) for name, value in dict(record["out"]).items()}, now)
    session = record["barging"]
    return None if session is None else int(session)
