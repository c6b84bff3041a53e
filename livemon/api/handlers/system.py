"""Liveness, readiness, figures, and the API's own description."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network

from starlette.responses import Response

from livemon.api.metrics import CONTENT_TYPE, LiveFigures, Metrics
from livemon.api.models import Health
from livemon.api.route import Ask, Reply
from livemon.errors import Refused


async def alive(ask: Ask) -> Reply:
    """Return that the process answers."""
    return Reply(Health(True, {}))


async def ready(ask: Ask) -> Reply:
    """Return whether the process can do its work, part by part."""
    checks = {"database": await ask.web.store.ready(), "bus": ask.web.bus.connected}
    good = all(checks.values())
    return Reply(Health(good, checks), 200 if good else 503)


async def metrics(ask: Ask) -> Response:
    """Return the figures, to the configured networks alone."""
    if not _inside(ask.remote, ask.web.settings.metrics_from):
        raise Refused("wrong_network", "this address may not read the figures; see metrics_from", 403)
    web = ask.web
    return Response(
        Metrics(LiveFigures(web.feed, web.importer, lambda: web.bus.connected)).text(),
        headers={"content-type": CONTENT_TYPE},
    )


@lru_cache(maxsize=1024)
def _inside(address: str, networks: tuple[str, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or found
    return any(mapped in ip_network(network) for network in networks)
