"""Which Origin a request may come from (core)."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit


class Origins:
    """The allow-list: the configured origins, and the own host under a name that nobody else can point at us.

    A request whose Origin equals its Host is not enough: with DNS rebinding a foreign name resolves to us and both
    carry it. So the own host counts only as an address, as localhost, or as this machine's name.
    """

    def __init__(self, scheme: str, configured: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        self._scheme = scheme
        self._configured = {origin.rstrip("/").lower() for origin in configured}
        self._names = {"localhost"} | {name.lower() for name in names}

    def allowed(self, origin: str | None, host: str | None) -> bool:
        """Return whether a request with these headers comes from one of our own pages."""
        if not origin:
            return False
        origin = origin.lower()
        if origin in self._configured:
            return True
        return host is not None and origin == f"{self._scheme}://{host.lower()}" and self._ours(origin)

    def _ours(self, origin: str) -> bool:
        try:
            name = urlsplit(origin).hostname or ""
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True
