"""What analysts on other machines reach over HTTP: the pages, and the file of current values to download.

Belongs here: which files of a warehouse's folder are served, read-only. Does not belong here: writing them (overview, site). For
the open internet put a real web server before it, or in its place (docs/production.md).
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

#: Served beside the pages, though it does not lie among them.
DATABASE = "indicators.duckdb"


class Handler(SimpleHTTPRequestHandler):
    """Files of the folder `pages`, and the database beside it; a download keeps the state that it began with."""

    def translate_path(self, path: str) -> str:
        """The file behind an address."""
        if urlsplit(path).path == f"/{DATABASE}":
            return str(Path(self.directory).parent / DATABASE)
        return super().translate_path(path)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Only what was refused; every page looked at would bury it."""
        if str(code) >= "400":
            super().log_request(code, size)


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m flows.pages_server --bind ADDRESS --port PORT FOLDER`, until a signal ends it."""
    parser = argparse.ArgumentParser(
        prog="flows.pages_server", description="the pages and indicators.duckdb, over HTTP"
    )
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("folder", type=Path, help="HOME/PROFILE of a warehouse")
    options = parser.parse_args(arguments)
    handler = functools.partial(Handler, directory=str(options.folder / "pages"))
    with ThreadingHTTPServer((options.bind, options.port), handler) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
