"""The environment of the service's processes: a Prefect of our own, in the profile's folder, silent towards the outside.

Belongs here: which variables Prefect, Great Expectations and our own code are given, and why. Does not belong here: starting
processes (supervisor, service). Prefect reads these once, when it is imported; hence nothing of it is imported here.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

if TYPE_CHECKING:
    from flows.settings import Settings

PROJECT = Path(__file__).resolve().parent.parent
NOT_OURS = ("PREFECT_API_KEY", "PREFECT_PROFILE")  # somebody's other Prefect
_EVERYWHERE = ("0.0.0.0", "::")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
#: user:password that Prefect's server asks of everybody; whoever sets it for the server means our own clients, too.
SERVER_AUTH, CLIENT_AUTH = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"


def environment(settings: Settings, api_url: str) -> dict[str, str]:
    """The environment of every process that speaks to, or is, the Prefect server at `api_url`."""
    kept = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH", "")]))
    # Spelt out, since flow runs start in the project's folder and would not find a .env beside the caller.
    ours = {f"FIGUREKEEPER_{name.upper()}": _plain(value) for name, value in settings if value is not None}
    database = settings.server_database
    stored = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database.get_secret_value()} if database else {}
    known = {CLIENT_AUTH: kept[SERVER_AUTH]} if SERVER_AUTH in kept and CLIENT_AUTH not in kept else {}
    return (
        kept
        | ours
        | stored
        | known
        | {
            "PREFECT_HOME": str(settings.root / "prefect"),
            "PREFECT_API_URL": api_url,
            "PREFECT_UI_URL": (settings.ui_url or api_url.removesuffix("/api")).rstrip("/"),
            # Without host and port: the browser asks whatever address it has the page from, a proxy's included.
            "PREFECT_SERVER_UI_API_URL": "/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            # Kept in memory, the slots that runs hold would be held for ever when the server is restarted meanwhile.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            # What a run published goes with it: the watch alone would leave a hundred artifacts a day for ever.
            "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,orphans",
            "PREFECT_CLI_PROMPT": "false",
            "PREFECT_CLI_COLORS": "false",
            "PREFECT_LOGGING_COLORS": "false",
            "PREFECT_API_REQUEST_TIMEOUT": "20",  # SQLite sometimes lets a request hang; the client asks again
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.5",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "60",
            "GX_ANALYTICS_ENABLED": "false",
            "FIGUREKEEPER_HOME": str(settings.home.resolve()),
            "FIGUREKEEPER_PROJECT": str(PROJECT),
            "PYTHONPATH": path,
            "PYTHONUNBUFFERED": "1",
        }
    )


def adopt(env: Mapping[str, str]) -> None:
    """Let this process, too, speak to the Prefect server of `env` and to no other."""
    for name in NOT_OURS:
        os.environ.pop(name, None)
    os.environ.update({name: value for name, value in env.items() if name.startswith("PREFECT_")})
    Path(env["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)


def here(bind: str) -> str:
    """The address by which this machine itself reaches what listens on `bind`."""
    return "127.0.0.1" if bind in _EVERYWHERE else bind


def host(settings: Settings) -> str:
    """What this machine is called in the Prefect UI, and in what people are told of it."""
    return settings.host or socket.gethostname()


def open_to_all(bind: str) -> bool:
    """True when other machines reach what listens on `bind`, and the server asks nobody for a password."""
    return bind not in _LOOPBACK and SERVER_AUTH not in os.environ


def _plain(value: Any) -> str:
    return str(value.get_secret_value() if isinstance(value, SecretStr) else value)
