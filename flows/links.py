"""Addresses that open the right page for a person: a run, a form filled in, an artifact, a dataset's page.

Belongs here: how the Prefect UI's addresses and those of the pages are made; every method answers None when it does not know.
Does not belong here: asking a server. What the addresses need, a deploying service has written down (`remember`), so that a
notice sent from a shell has links, too. Prefect is not imported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from warehouse.files import write_durably

if TYPE_CHECKING:
    from uuid import UUID

    from flows.settings import Settings

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class Links:
    """`ui` and `pages`: where people reach them, without a slash at the end; `deployments`: the id of each by its name."""

    ui: str | None = None
    pages: str | None = None
    deployments: Mapping[str, str] = field(default_factory=dict)

    def run(self, run_id: str | None) -> str | None:
        """A flow run, opened at its artifacts."""
        return self._in_ui(f"runs/flow-run/{run_id}?tab=Artifacts") if run_id else None

    def artifact(self, key: str) -> str | None:
        """The history of what was published under a stable key."""
        return self._in_ui(f"artifacts/key/{key}")

    def opened(self, artifact: UUID | None) -> str | None:
        """One artifact itself, as a run published it."""
        return self._in_ui(f"artifacts/artifact/{artifact}") if artifact else None

    def deployment(self, name: str) -> str | None:
        """A deployment with its runs and its schedule."""
        found = self.deployments.get(name)
        return self._in_ui(f"deployments/deployment/{found}") if found else None

    def form(self, name: str, parameters: Mapping[str, Any]) -> str | None:
        """The run form of a deployment, filled in with these parameters; the person completes and submits it."""
        page = self.deployment(name)
        filled = quote(json.dumps(parameters, ensure_ascii=False, separators=(",", ":")), safe="")
        return f"{page}/run?parameters={filled}" if page else None

    def review(self, batch: str, decision: str) -> str | None:
        """The form by which a batch is released, discarded or voided."""
        return self.form("review", {"request": {"batch": batch, "decision": decision}})

    def acknowledge(self, incident: int) -> str | None:
        """The form by which an editor takes note of an incident."""
        return self.form("acknowledge", {"request": {"incident": incident}})

    def dataset(self, dataset: str, language: Language = "en") -> str | None:
        """What is published of a dataset, on the pages; None for what is no dataset, as in an incident of a provider."""
        known = self.pages and re.fullmatch(r"[a-z]+\.\w+", dataset)
        return f"{self.pages}/{language}/data-{dataset}.html" if known else None

    def _in_ui(self, place: str) -> str | None:
        # Without /v2 an address opens the older UI, whose forms cannot be filled in by an address.
        return f"{self.ui}/v2/{place}" if self.ui else None


def of(settings: Settings) -> Links:
    """The links of an installation: as its settings say, else as the service last wrote down; empty where neither does, and
    without pages where none are written."""
    known = _remembered(_file(settings))
    written = known.get("pages") if settings.pages else None
    ui, pages = settings.ui_url or known.get("ui"), settings.pages_url or written
    return Links(_plain(ui), _plain(pages), known.get("deployments") or {})


def remember(settings: Settings, deployments: Mapping[str, str], *, ui: str, pages: str | None = None) -> None:
    """Write down where the service is reached on this machine, and its deployments' ids; what is not given stays."""
    kept = _remembered(_file(settings))
    told = {"ui": ui, "pages": pages or kept.get("pages"), "deployments": dict(deployments)}
    write_durably(_file(settings), json.dumps(told, indent=1).encode())


def _file(settings: Settings) -> Path:
    return settings.root / "links.json"


def _remembered(file: Path) -> dict[str, Any]:
    try:
        known = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _plain(address: str | None) -> str | None:
    return address.rstrip("/").removesuffix("/v2") if address else None
