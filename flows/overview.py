"""What stands around the warehouse after a run: indicators.duckdb, overview, papers' pages, and the summary by dataset.

Belongs here: gathering rows from the warehouse for people. How a page looks is in warehouse/pages.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flows import site
from flows.settings import Settings
from warehouse import clock, line, lineage, pages, questions, revision_pages, revisions, snapshot
from warehouse.chart import ChartData
from warehouse.errors import FigurekeeperError, UsageError
from warehouse.store import Warehouse

#: The series shown on the first page: Korea's R&D intensity, whose 2017 value went 4.55 → 4.29 → 4.07.
SHOWN = "worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS"


class NotRenewed(FigurekeeperError):
    """The data are published, but something that tells of the papers is as it was before."""


def summary(settings: Settings) -> list[dict[str, Any]]:
    """One row a dataset held; the columns of warehouse.lineage.datasets."""
    return lineage.datasets(Warehouse(**settings.place, create=False))


def changes(settings: Settings, batch_id: str) -> list[dict[str, Any]]:
    """What a batch changed against the vintages before it, by kind; the columns of warehouse.revisions.summary."""
    warehouse = Warehouse(**settings.place, create=False)
    return revisions.summary(revisions.iter_revisions(warehouse, batch_id))


def printed(settings: Settings, *, shared: bool = False) -> dict[tuple[str, str], str]:
    """Which observations papers print, and with which digits; warehouse.papers.printed_cells.texts. `shared`: leave out private
    papers."""
    from warehouse.papers import asking, catalogue, printed_cells

    papers = catalogue.load(settings.papers)
    warehouse = Warehouse(**settings.place, create=False)
    return printed_cells.texts(warehouse, asking.shared(papers) if shared else papers)


def finish(settings: Settings) -> None:
    """Write indicators.duckdb, the overview page, the report of each new edition's revisions and the pages of the papers.

    Each is swapped in whole; the pages of the papers only when there is a new edition, or the papers changed. What is wrong with
    the papers hinders nothing else: raises NotRenewed in the end.
    """
    from warehouse.papers import asking, catalogue

    warehouse = Warehouse(**settings.place, create=False)
    failures: list[Exception] = []
    answers = None
    with warehouse.lease("overview"):
        with _noting(failures):
            papers = asking.shared(catalogue.load(settings.papers))
            answers = asking.everything(warehouse, papers)
        with _noting(failures):
            snapshot.write(warehouse, answers)
        with _noting(failures):  # a report is written once: rather none yet than one that lacks what papers print
            revision_pages.write(warehouse, printed(settings, shared=True))
        pages.write(warehouse.root / "pages", _page(warehouse, papers=settings.pages))
    with _noting(failures):
        if answers is not None:
            site.renew(settings, warehouse, papers, answers)
    if failures:
        raise _not_renewed(failures[0]) from failures[0]


@contextmanager
def _noting(failures: list[Exception]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        failures.append(error)


def _not_renewed(error: Exception) -> NotRenewed:
    what, mend = f"{type(error).__name__}: {error}", "mend that"
    if isinstance(error, FigurekeeperError):
        what, mend = error.what, error.next_step
    return NotRenewed(
        f"the data are published, but what is said of the papers could not be renewed: {what}",
        next_step=f"{mend}; the next publish then writes all of it anew, or at once `figurekeeper maintain` indicators.duckdb "
        "and `figurekeeper pages` the pages",
    )


def _page(warehouse: Warehouse, *, papers: bool) -> pages.PageData:
    with warehouse.engine.connect() as connection:
        edition = line.newest_edition(connection)
    return pages.PageData(
        profile=warehouse.profile,
        edition=edition or None,
        generated_at=clock.now(),
        datasets=lineage.datasets(warehouse),
        batches=[row for row in lineage.batches(warehouse, limit=300) if row["decision"] != "unchanged"][:15],
        incidents=lineage.open_incidents(warehouse),
        chart=_chart(warehouse),
        papers=papers,
    )


def _chart(warehouse: Warehouse) -> ChartData | None:
    """The shown series in every vintage held; None while it has not been revised."""
    try:
        rows = questions.vintages(warehouse, SHOWN, period="1990:")
        [unit] = {row["unit"] for row in questions.values(warehouse, [SHOWN])}
    except (UsageError, ValueError):
        return None
    lines: dict[str, tuple[str, list[tuple[str, float]]]] = {}
    for row in rows:
        if row["value"] is not None:
            label = row["known_from"][:10] if row["precision"] == "instant" else row["stamp"]
            lines.setdefault(row["vintage"], (label, []))[1].append((row["period"], row["value"]))
    known = {row["vintage"]: row["known_from"] for row in rows}
    ordered = sorted(lines, key=lambda vintage: known[vintage])
    about = next(row for row in lineage.datasets(warehouse) if row["dataset"] == SHOWN.split(":")[0])
    return ChartData(
        title="Korea: R&D expenditure, share of GDP, as known on different days",
        series=SHOWN,
        unit=unit,
        source=f"{about['citation']} ({about['licence']})",
        lines=[(lines[vintage][0], known[vintage], lines[vintage][1]) for vintage in ordered],
    )
