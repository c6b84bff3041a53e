"""What the web process can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from livemon.bus.messages import Directory


@dataclass(frozen=True, slots=True)
class SeedUser:
    """A user that the configuration brings along; `password` empty means: no sign-in by password."""

    login: str
    name: str
    role: str
    password: str = field(default="", repr=False)
    teams: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnterLink:
    """A one-use link `/enter/<token>` that signs `login` in and leads to `path`; for demonstrations only."""

    token: str = field(repr=False)
    login: str
    path: str


@dataclass(frozen=True, slots=True)
class WebSettings:
    """All settings of the web process; the defaults are those of one machine behind nothing."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8080
    database: str = ""
    """Empty: `livemon.db` in the data directory."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    behind_tls: bool = False
    """TLS ends at a proxy in front: cookies are Secure and origins are https."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses whose X-Forwarded-For is believed."""
    origins: tuple[str, ...] = ()
    """Origins allowed besides the own host, e.g. https://monitor.example.org."""
    fallback_origins: tuple[str, ...] = ()
    """Where pages may also connect to (CSP connect-src): the nodes' WebSocket fallback."""
    metrics_from: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks that may read /metrics."""
    connections_per_address: int = 256
    """Connections one address may hold: an office of 60 people behind one address, four each."""
    pages: Path = Path(__file__).parent.parent / "pages"
    users: tuple[SeedUser, ...] = ()
    directory: Directory | None = None
    """None keeps the directory the database holds."""
    links: tuple[EnterLink, ...] = ()
    """Not empty switches `/enter/<token>` on."""

    @property
    def database_url(self) -> str:
        """Return the database's URL."""
        return self.database or f"sqlite:///{self.data_dir}/livemon.db"

    @property
    def secure(self) -> bool:
        """Return whether browsers reach us over TLS."""
        return self.behind_tls or self.tls_certificate is not None
