"""What the web process can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from livemon.bus.messages import Directory
from livemon.config import Config, UserSettings
from livemon.store.records import EVERYTHING
from livemon.store.seed import SeedUser


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

    def journal_path(self, writer: str) -> Path:
        """Return the audit journal of one process on this machine."""
        return self.data_dir / "audit" / f"{writer}.journal"


def settings_from(config: Config) -> WebSettings:
    """Return the web process's part of the configuration file."""
    server = config.server
    return WebSettings(
        data_dir=server.data_dir,
        host=server.host,
        port=server.port,
        database=server.database,
        tls_certificate=server.tls.certificate if server.tls else None,
        tls_key=server.tls.key if server.tls else None,
        behind_tls=server.behind_tls,
        trusted_proxies=server.trusted_proxies,
        origins=server.origins,
        fallback_origins=_fallback_origins(config),
        metrics_from=server.metrics_from,
        users=tuple(_user(user) for user in config.user),
        directory=config.directory() if config.agent or config.team or config.queue else None,
    )


def _user(user: UserSettings) -> SeedUser:
    everywhere = user.role in ("admin", "supervisor") and not user.teams and not user.queues
    return SeedUser(
        user.login,
        user.name or user.login,
        user.role,
        user.password,
        (EVERYTHING,) if everywhere else user.teams,
        user.queues,
    )


def _fallback_origins(config: Config) -> tuple[str, ...]:
    node, server = config.node, config.server
    if node.fallback_url:
        parts = urlsplit(node.fallback_url)
        return (f"{parts.scheme}://{parts.netloc}",)
    scheme = "wss" if server.tls or server.behind_tls else "ws"
    host = node.fallback_host or server.host
    # A page that came by another name of this machine connects to that name; `*` stands for any host at that port.
    return tuple(f"{scheme}://{name}:{node.fallback_port}" for name in dict.fromkeys((host, "*")))
