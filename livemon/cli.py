"""The command `livemon`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from livemon.errors import LivemonError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Live call monitoring and whisper coaching.")
audit = typer.Typer(no_args_is_help=True, help="The audit trail.")
app.add_typer(audit, name="audit")


@app.command()
def serve(config: Annotated[Path | None, typer.Option(help="Settings as TOML (docs/configuration.md).")] = None) -> int:
    """Run livemon on this machine: one node and the web process."""
    from livemon.config import load
    from livemon.serve import serve as run

    return run(load(config), config)


@app.command()
def demo(
    calls: Annotated[int, typer.Option(help="Agents on the phone at once.")] = 8,
    host: Annotated[str, typer.Option(help="Address to serve on; another than 127.0.0.1 turns TLS on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the pages; 0 for any.")] = 8080,
    seed: Annotated[int, typer.Option(help="The same seed plays the same calls.")] = 1,
    duration: Annotated[float | None, typer.Option(help="End so many seconds after the links are printed.")] = None,
) -> int:
    """Run a simulated call centre and print the link to open."""
    from livemon.demo.run import DemoOptions, run

    return run(DemoOptions(calls, host, port, seed, duration))


@app.command()
def analyse(
    agent: Annotated[Path, typer.Argument(help="The agent's recording (WAV).")],
    customer: Annotated[Path, typer.Argument(help="The customer's recording (WAV).")],
    events: Annotated[Path | None, typer.Option(help="Signalled events: a JSON list of {t, type}.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> int:
    """Run the live talk analysis over two recordings, 20 ms at a time."""
    from livemon.talk.offline import analyse as run
    from livemon.talk.offline import read_events

    found = run(agent, customer, read_events(events) if events else ())
    typer.echo(json.dumps(found) if as_json else _summary(found))
    return 0


@audit.command("verify")
def audit_verify(
    journals: Annotated[
        list[Path] | None, typer.Argument(help="Journals; without any, those of the data folder.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings as TOML.")] = None,
) -> int:
    """Check the hash chains of the audit journals; the exit status is 1 when something is wrong."""
    from livemon.audit.verify import verify
    from livemon.config import load

    paths = journals or sorted((load(config).server.data_dir / "audit").glob("*.journal"))
    if not paths:
        typer.echo("no journals found; name them, or the settings with --config", err=True)
        return 2
    report = verify(paths)
    for checked in report.journals:
        typer.echo(f"{checked.journal}: {checked.entries} entries, head {checked.head.seq}")
    for problem in report.problems:
        typer.echo(f"{problem.journal}, line {problem.line}: {problem.text} ({problem.id})")
    typer.echo(f"{report.anchors} cross anchors checked; {'intact' if report.ok else 'NOT INTACT'}")
    return 0 if report.ok else 1


def _summary(found: dict[str, object]) -> str:
    metrics = found.get("metrics")
    lines = [f"{name}: {value}" for name, value in (metrics.items() if isinstance(metrics, dict) else ())]
    alerts = found.get("dead_air_alerts")
    lines.append(f"dead-air alerts at (s): {alerts}")
    return "\n".join(lines)


def main() -> int:
    """Run the command line; errors of ours end in one line and status 2."""
    try:
        status = app(standalone_mode=False)
    except LivemonError as error:
        typer.echo(f"livemon: {error}", err=True)
        return 2
    except typer.Abort:
        return 130
    except Exception as error:
        # Click's own usage errors know how to show themselves.
        show = getattr(error, "show", None)
        if show is None:
            raise
        show()
        return int(getattr(error, "exit_code", 2))
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())
