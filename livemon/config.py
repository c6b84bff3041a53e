"""The settings of livemon: one TOML file, shared with the bridge (its tables are left to it).

Every wrong setting becomes one `ConfigError` that names the setting and what to write instead.
"""

from __future__ import annotations

import json
import re
import socket
import tomllib
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from livemon.bus.messages import Agent, Directory, QueueEntry, Team
from livemon.errors import ConfigError

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Port = Annotated[int, Field(ge=0, le=65535)]
"""0 lets the system choose; meant for tests."""
Millis = Annotated[int, Field(ge=0, le=3_600_000)]
Role = Literal["agent", "supervisor", "qa", "admin", "wallboard", "client"]

_BRIDGE_TABLES = ("bridge", "trunk")
_ANY = ("0.0.0.0", "::", "")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class TlsSettings(_Table):
    """A certificate chain and its key, PEM."""

    certificate: Path
    key: Path


class ServerSettings(_Table):
    """`[server]`: the web process and what both processes share."""

    host: str = "127.0.0.1"
    port: Port = 8080
    data_dir: Path = Path("/var/lib/livemon")
    database: str = ""
    """Empty: `livemon.db` in the data directory; else a URL, e.g. postgresql://user@host/livemon."""
    tls: TlsSettings | None = None
    behind_tls: bool = False
    """TLS ends at a proxy in front."""
    trusted_proxies: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    metrics_from: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not re.fullmatch(r"https?://[^/\s]+", origin):
                raise ValueError(f"{origin!r} is no origin; write scheme://host[:port] without a path")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            ip_address(address)
        return value

    @field_validator("metrics_from")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value


class LinkSettings(_Table):
    """`[link]`: shared with the bridge; `server` is where it dials, `key_file` the key both sides know."""

    server: str = ""
    key_file: Path | None = None


class NodeSettings(_Table):
    """`[node]`: the link it listens on and the media it sends to browsers."""

    name: Id = "node-0"
    link: str = ""
    """Where to listen: unix:///path/node-0.sock, or tcp://host:port. Empty: as `[link] server` if that is a Unix
    socket, else `node-0.sock` in the data directory."""
    link_tls: TlsSettings | None = None
    rtc_host: str = "0.0.0.0"
    rtc_port: Port = 7878
    """The one UDP port for all supervisors' browsers."""
    advertise: tuple[str, ...] = ()
    """Addresses browsers reach that port at; empty: those of this machine."""
    fallback_host: str = ""
    """Empty: the host of `[server]`."""
    fallback_port: Port = 7879
    """The WebSocket port for browsers whose UDP is blocked."""
    fallback_url: str = ""
    """What browsers dial, e.g. wss://monitor.example.org/audio; empty: made of host and port."""
    connecting: Annotated[int, Field(ge=1, le=1000)] = 8
    """Browsers whose DTLS may be under way at once; a handshake costs some 5 ms of a core that has a 20 ms clock."""

    @field_validator("link")
    @classmethod
    def _link(cls, value: str) -> str:
        if value and not re.fullmatch(r"unix:///\S+|tcp://(\[[0-9a-fA-F:]+\]|[^:/\s]+):[0-9]+", value):
            raise ValueError("write unix:///path/node-0.sock or tcp://host:port")
        return value

    @field_validator("advertise")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            ip_address(address)
        return value


class AgentSettings(_Table):
    """`[[agent]]`: a person; `addresses` are AORs, extensions or header values, the number is one by itself."""

    id: Id
    name: str
    number: str = ""
    team: str = ""
    queues: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    user: str = ""


class TeamSettings(_Table):
    """`[[team]]`."""

    id: Id
    name: str = ""


class QueueSettings(_Table):
    """`[[queue]]`: thresholds in ms replace the defaults."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    name: str = ""
    dead_air_warn_ms: Millis | None = None
    dead_air_alert_ms: Millis | None = None
    dead_air_critical_ms: Millis | None = None
    hold_warn_ms: Millis | None = None
    hold_alert_ms: Millis | None = None


class UserSettings(_Table):
    """`[[user]]`: somebody who signs in; without a password only an admin can give one."""

    login: Annotated[str, Field(min_length=1, max_length=128)]
    name: str = ""
    role: Role = "supervisor"
    password: str = Field(default="", repr=False)
    teams: tuple[str, ...] = ()
    """Teams in scope; "*" for all. Teams and queues both empty: all, for admins and supervisors."""
    queues: tuple[str, ...] = ()


class Config(_Table):
    """The whole file."""

    server: ServerSettings = ServerSettings()
    link: LinkSettings = LinkSettings()
    node: NodeSettings = NodeSettings()
    agent: tuple[AgentSettings, ...] = ()
    team: tuple[TeamSettings, ...] = ()
    queue: tuple[QueueSettings, ...] = ()
    user: tuple[UserSettings, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        _unique("agent", "id", (agent.id for agent in self.agent))
        _unique("team", "id", (team.id for team in self.team))
        _unique("queue", "id", (queue.id for queue in self.queue))
        _unique("user", "login", (user.login for user in self.user))
        teams = {team.id for team in self.team}
        for agent in self.agent:
            if agent.team and agent.team not in teams:
                raise ValueError(f"agent {agent.id!r} is in team {agent.team!r}, which no [[team]] has as its id")
        for user in self.user:
            if unknown := set(user.teams) - teams - {"*"}:
                raise ValueError(f"user {user.login!r} has unknown team {sorted(unknown)[0]!r}; add a [[team]] with it")
        return self

    def directory(self, version: int = 1) -> Directory:
        """Return the agent directory of the file."""
        return Directory(
            version,
            tuple(_agent(agent) for agent in self.agent),
            tuple(Team(team.id, team.name or team.id) for team in self.team),
            tuple(
                QueueEntry(
                    queue.id,
                    queue.name or queue.id,
                    queue.dead_air_warn_ms,
                    queue.dead_air_alert_ms,
                    queue.dead_air_critical_ms,
                    queue.hold_warn_ms,
                    queue.hold_alert_ms,
                )
                for queue in self.queue
            ),
        )

    @property
    def bus_path(self) -> Path:
        """The Unix socket of the local bus."""
        return self.server.data_dir / "bus.sock"

    @property
    def link_listen(self) -> str:
        """Where the node listens for bridges, as a URL."""
        if self.node.link:
            return self.node.link
        if self.link.server.startswith("unix://"):
            return self.link.server
        return f"unix://{(self.server.data_dir / f'{self.node.name}.sock').absolute()}"

    @property
    def link_key_file(self) -> Path:
        """The file with the keys of the bridges."""
        return self.link.key_file or self.server.data_dir / "link.key"

    @property
    def page_origins(self) -> tuple[str, ...]:
        """Origins whose pages may open the WebSocket fallback: the configured ones and this server's own."""
        scheme = "https" if self.server.tls or self.server.behind_tls else "http"
        names = {self.server.host}
        if _is_loopback(self.server.host):
            names |= {"localhost", "127.0.0.1"}
        elif self.server.host in _ANY:
            names = {"localhost", "127.0.0.1", socket.gethostname(), socket.getfqdn(), *self.node.advertise}
        own = {f"{scheme}://{_bracketed(name)}:{self.server.port}" for name in names}
        return tuple(sorted(own | {origin.rstrip("/").lower() for origin in self.server.origins}))

    def fallback_url(self, port: int) -> str:
        """Return what browsers dial for the WebSocket fallback, which listens on `port`."""
        if self.node.fallback_url:
            return self.node.fallback_url
        host = self.node.fallback_host or self.server.host
        if host in _ANY:
            host = next(iter(self.node.advertise), socket.getfqdn())
        return f"{'wss' if self.server.tls else 'ws'}://{_bracketed(host)}:{port}/"

    def journal_path(self, writer: str) -> Path:
        """Return the audit journal of one process."""
        return self.server.data_dir / "audit" / f"{writer}.journal"


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host == "::1" or host.startswith("127.")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def load(path: Path | None) -> Config:
    """Return the settings in the file `path`, or the defaults for None; raises ConfigError."""
    if path is None:
        return Config()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{path.name} cannot be read: {error}; name a TOML file with --config") from error
    return loads(text, path.name)


def dump(config: Config, path: Path) -> None:
    """Write the settings where `load` finds them again, readable by this user alone: passwords may be among them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(config.model_dump_json(), encoding="utf-8")


def loads(text: str, name: str = "config") -> Config:
    """Return the settings in a TOML document (JSON if `name` ends so); raises ConfigError."""
    try:
        data: dict[str, Any] = json.loads(text) if name.endswith(".json") else tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(f"{name} is not TOML: {error}") from error
    try:
        return Config.model_validate({key: value for key, value in data.items() if key not in _BRIDGE_TABLES})
    except ValidationError as error:
        raise ConfigError("\n".join(f"{name}: {_explain(dict(item))}" for item in error.errors())) from error


def _explain(error: dict[str, Any]) -> str:
    where = ".".join(str(part) if isinstance(part, str) else f"[{part + 1}]" for part in error["loc"])
    where = where.replace(".[", "[") or "the file"
    if error["type"] == "extra_forbidden":
        return f"{where} is no setting; remove it or correct its name"
    if error["type"] == "missing":
        return f"{where} is missing; add it"
    # What a password was set to does not belong on a terminal.
    given = "" if "password" in where or isinstance(error["input"], dict | Config) else f" (it is {error['input']!r})"
    return f"{where}: {str(error['msg']).removeprefix('Value error, ')}{given}"


def _unique(table: str, member: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"two [[{table}]] have the {member} {value!r}; give each its own")
        seen.add(value)


def _agent(agent: AgentSettings) -> Agent:
    addresses = dict.fromkeys(a.strip().lower() for a in (*agent.addresses, agent.number) if a.strip())
    return Agent(agent.id, agent.name, agent.number, agent.team, agent.queues, tuple(addresses))
