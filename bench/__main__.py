"""Run the benchmarks named, or all of them: `python -m bench [NAME ...] [--soak]`."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import bench


def main(argv: list[str]) -> int:
    """Print one JSON line a figure; return the exit status."""
    soak = "--soak" in argv
    wanted = [word for word in argv if not word.startswith("-")]
    names = [module.name for module in pkgutil.iter_modules(bench.__path__) if not module.name.startswith("_")]
    unknown = set(wanted) - set(names)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    for name in wanted or names:
        module = importlib.import_module(f"bench.{name}")
        run = getattr(module, "soak" if soak else "run", None)
        if run is None:
            continue
        for figure in run():
            print(figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
