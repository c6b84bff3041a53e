"""The files and addresses of one demo: a folder that is thrown away, a configuration, keys, and free ports."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from livemon.demo.cast import QUEUES, TEAMS, SampleAgent
from livemon.errors import ConfigError

# A demo's certificate is made anew each time; a day outlasts every demo.
CERTIFICATE_DAYS = 1
# Four ports a call; freed ones rest for some seconds, so three calls' worth for each agent.
PORTS_PER_AGENT = 12
RTP_FIRST, RTP_LAST = 20000, 60000


@dataclass(frozen=True, slots=True)
class Ports:
    """Every port of one demo."""

    web: int
    sip: int
    pbx: int
    rtc: int
    fallback: int
    metrics: int
    rtp: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stage:
    """What a demo stands on."""

    folder: Path
    host: str
    ports: Ports
    agents: tuple[SampleAgent, ...]
    tls: bool

    @property
    def config(self) -> Path:
        """The configuration of bridge, node and web."""
        return self.folder / "demo.toml"

    @property
    def data_dir(self) -> Path:
        """Where livemon keeps database, journals and sockets."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """Where browsers find the pages."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.ports.web}"

    def write(self) -> None:
        """Write configuration, link key and certificate."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        key = self.folder / "link.key"
        key.write_text(secrets.token_hex(32) + "\n")
        key.chmod(0o600)
        if self.tls:
            self._write_certificate()
        self.config.write_text(self._toml())

    def _toml(self) -> str:
        ports, link = self.ports, self.data_dir / "node-0.sock"
        parts = [
            "# Written by `livemon demo`; the people in it do not exist.",
            "[bridge]",
            'name = "demo"',
            f'listen = ["udp:{self.host}:{ports.sip}"]',
            f'rtp_host = "{self.host}"',
            f'rtp_ports = "{ports.rtp[0]}-{ports.rtp[1]}"',
            f'metrics = "{self.host}:{ports.metrics}"',
            "[link]",
            f'server = "unix://{link}"',
            f'key_file = "{self.folder / "link.key"}"',
            "[server]",
            f'host = "{self.host}"',
            f"port = {ports.web}",
            f'data_dir = "{self.data_dir}"',
            *(self._tls_lines("server.tls") if self.tls else ()),
            "[node]",
            f'rtc_host = "{self.host}"',
            f"rtc_port = {ports.rtc}",
            f'advertise = ["{self.host}"]',
            f"fallback_port = {ports.fallback}",
            "[[trunk]]",
            'name = "pbx"',
            'side = "pbx"',
            f'route = "udp:{self.host}:{ports.pbx}"',
            'identity.queue = ["header:X-Queue"]',
            "[[trunk]]",
            'name = "phones"',
            'side = "phones"',
            'identity.queue = ["header:X-Queue"]',
        ]
        for id_, name in TEAMS.items():
            parts += ["[[team]]", f'id = "{id_}"', f'name = "{name}"']
        for id_, name in QUEUES.items():
            parts += ["[[queue]]", f'id = "{id_}"', f'name = "{name}"']
        for agent in self.agents:
            parts += ["[[agent]]", f'id = "a{agent.extension}"', f'name = "{agent.name}"']
            parts += [f'number = "{agent.extension}"', f'team = "{agent.team}"']
        for login, name, role in (
            ("supervisor", "Sample Supervisor", "admin"),
            ("wallboard", "Wallboard", "wallboard"),
        ):
            parts += ["[[user]]", f'login = "{login}"', f'name = "{name}"', f'role = "{role}"', 'teams = ["*"]']
        return "\n".join(parts) + "\n"

    def _tls_lines(self, table: str) -> tuple[str, ...]:
        return (f"[{table}]", f'certificate = "{self.folder / "demo.crt"}"', f'key = "{self.folder / "demo.pem"}"')

    def _write_certificate(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "livemon demo")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
            .add_extension(x509.SubjectAlternativeName([_subject(self.host)]), critical=False)
            .sign(key, hashes.SHA256())
        )
        (self.folder / "demo.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pem = self.folder / "demo.pem"
        pem.touch(mode=0o600)
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def _subject(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def is_loopback(host: str) -> bool:
    """Return whether `host` is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def free_ports(host: str, web: int, agents: int) -> Ports:
    """Choose ports that are free now; `web` is taken as it is, unless 0.

    Raises:
        ConfigError: the web port is taken, or there is no room for RTP.
    """
    if web and not _free(host, web, socket.SOCK_STREAM):
        raise ConfigError(f"port {web} is taken; choose another with --port, or 0 for any")
    udp = [_any(host, socket.SOCK_DGRAM) for _ in range(3)]
    tcp = [_any(host, socket.SOCK_STREAM) for _ in range(3)]
    return Ports(web or tcp[0], udp[0], udp[1], udp[2], tcp[1], tcp[2], _rtp_range(host, agents * PORTS_PER_AGENT, udp))


def _free(host: str, port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _any(host: str, kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _rtp_range(host: str, size: int, taken: Sequence[int]) -> tuple[int, int]:
    size += size % 2
    for first in range(RTP_FIRST, RTP_LAST - size, size):
        span = range(first, first + size)
        if not any(port in span for port in taken) and all(_free(host, port, socket.SOCK_DGRAM) for port in span):
            return first, first + size - 1
    raise ConfigError(f"no {size} free UDP ports in a row between {RTP_FIRST} and {RTP_LAST}; stop what uses them")
