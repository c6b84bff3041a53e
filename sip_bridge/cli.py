"""`sip-bridge`: reads the settings and hands over to the keeper."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sip_bridge import keeper
from sip_bridge import log as bridge_log
from sip_bridge.config import BridgeConfig, from_mapping, load
from sip_bridge.errors import ConfigError

EPILOG = """\
A bridge by hand, phones behind 127.0.0.1:5080:
  sip-bridge --listen udp:127.0.0.1:5070 --route 127.0.0.1:5080 --phones-side route --no-tap
Phones register through it to a telephone system:
  sip-bridge --listen udp:192.0.2.1:5060 --route 192.0.2.10:5060 --phones-side listen --no-tap
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bridge in the foreground; return the exit code (2: a setting is wrong)."""
    options = _parser().parse_args(arguments)
    level = getattr(logging, options.log_level.upper())
    bridge_log.configure(sys.stderr, level, lambda at: datetime.fromtimestamp(at, UTC).isoformat())
    try:
        config = configuration(options)
        return keeper.run(plan(config, options.log_level))
    except ConfigError as error:
        sys.stderr.write(f"sip-bridge: {error}\n")
        return 2


def configuration(options: argparse.Namespace) -> BridgeConfig:
    """Return the settings of the file, or those given on the command line; raises ConfigError."""
    if options.config:
        if options.listen or options.route:
            raise ConfigError("--config: --listen and --route are in the file; leave one or the other away")
        try:
            return load(Path(options.config).read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--config {options.config}: {error}") from error
        except ConfigError as error:
            raise ConfigError(f"{options.config}: {error}") from error
    return from_mapping(settings(options))


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the command line as the same mapping a TOML file gives."""
    if not options.listen or not options.route:
        raise ConfigError("--listen and --route are missing; or give --config FILE")
    if not options.server and not options.no_tap:
        raise ConfigError("--server is missing; write --server unix:///path/node-0.sock, or --no-tap for a bare bridge")
    near, far = ("pbx", "phones") if options.phones_side == "route" else ("phones", "pbx")
    bridge = {
        "name": options.name,
        "listen": options.listen,
        "rtp_ports": options.rtp_ports,
        "rtp_host": options.rtp_host,
        "advertise": options.advertise,
        "metrics": options.metrics,
        "drain_seconds": options.drain_timeout,
    }
    link = {"server": options.server, "key_file": options.key_file} if options.server else {}
    return {
        "bridge": {key: value for key, value in bridge.items() if value is not None},
        "link": {key: value for key, value in link.items() if value is not None},
        "trunk": [{"name": near, "side": near}, {"name": far, "side": far, "route": options.route}],
    }


def plan(config: BridgeConfig, log_level: str) -> keeper.KeeperPlan:
    """Return what the keeper opens and starts."""
    return keeper.KeeperPlan(
        sip_udp=tuple((hop.host, hop.port) for hop in config.listen if hop.transport == "udp"),
        sip_tcp=tuple((hop.host, hop.port) for hop in config.listen if hop.transport == "tcp"),
        rtp_host=config.rtp_host,
        rtp_first=config.rtp_ports[0],
        rtp_last=config.rtp_ports[1],
        control_args=("--settings", json.dumps(config.raw), "--log-level", log_level),
        drain_s=config.drain_seconds,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "sip-bridge",
        description="Stands in the call path between a telephone system and its phones.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--config", metavar="FILE", help="settings as TOML (docs/configuration.md)")
    add("--listen", action="append", metavar="udp:HOST:PORT", help="SIP address to listen on; may be repeated")
    add("--route", metavar="HOST:PORT", help="where calls go that come in on --listen")
    add("--phones-side", choices=("route", "listen"), default="route", help="on which side the agents' phones are")
    add("--server", metavar="URL", help="the node: unix:///path/node-0.sock or wss://host:port/")
    add("--no-tap", action="store_true", help="run without a node: relay only")
    add("--key-file", metavar="FILE", help="file with the key of the link")
    add("--rtp-ports", metavar="FIRST-LAST", help="RTP ports, even to odd (20000-20999)")
    add("--rtp-host", metavar="IP", help="address the RTP ports are bound to (0.0.0.0)")
    add("--name", help="name of this bridge (b1)")
    add("--advertise", metavar="IP", help="address phones are told to send to")
    add("--metrics", metavar="HOST:PORT", help="HTTP port with /metrics, /healthz and /readyz")
    add("--drain-timeout", type=float, metavar="SECONDS", help="how long SIGTERM waits for calls to end (3600)")
    add("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    return parser
