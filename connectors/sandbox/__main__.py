"""Runs the sandbox alone: `python -m connectors.sandbox --port N --access-log FILE --facts FOLDER`, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from connectors.sandbox.server import serve
from warehouse.errors import FigurekeeperError


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, serve, and stop cleanly on SIGTERM and SIGINT. Raises FigurekeeperError when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m connectors.sandbox", description="the three providers, offline")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes any free one")
    parser.add_argument(
        "--access-log", type=Path, default=None, help="file to which one JSON line a request is appended"
    )
    parser.add_argument(
        "--facts", type=Path, default=None, help="folder of your own facts: SDMX-CSV files, each served as its flow"
    )
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    with serve(options.port, options.access_log, options.facts) as sandbox:
        print(f"sandbox on http://127.0.0.1:{sandbox.port}", flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FigurekeeperError as error:
        sys.exit(str(error))
