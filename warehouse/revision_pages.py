"""The revision report of every publish: a page and a table for each edition, an index of them, and the triangle of a series.

Belongs here: gathering what an edition changed, and writing it for people. What a change is, is in warehouse/revisions.py. An
answer for an edition never changes, so a page is written once.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from warehouse import ledger, line, lineage, questions, revisions
from warehouse.causes import Causes
from warehouse.contents import read_vintage
from warehouse.errors import UsageError
from warehouse.files import write_durably
from warehouse.pages import fill
from warehouse.revisions import Printed, Row
from warehouse.store import Warehouse
from warehouse.triangle import Triangle, lay_out, svg

#: Editions that have a page and a line in the index, newest first; older ones are one `figurekeeper revisions BATCH` away.
MOST_PAGES = 200
_LARGEST, _BUSIEST, _REDEFINED = 20, 15, 40
#: Every period there is.
_ALWAYS = "1000:"
_COLUMNS = (
    *("dataset", "part", "series", "period", "kind", "weight", "old", "new", "relative", "old_status", "new_status"),
    *("detail", "cause", "numerator_share", "explained_before", "explained_vintage", "known_from", "vintage", "before"),
)


@dataclass(frozen=True)
class EditionReport:
    """What one edition changed: `about` has edition, id, at, decision, batch, dataset and message; `rows` as in `revisions`.

    `begun` counts vintages by what they are: those with a predecessor, and the first of a part.
    """

    about: Row
    rows: list[Row]
    begun: dict[str, int]


def write(warehouse: Warehouse, printed: Printed | None = None) -> list[Path]:
    """Write the pages of editions that have none yet, with their tables, and the index; returns the paths of new pages.

    `printed`: which observations papers print, as in warehouse.papers.printed_cells.
    """
    folder = warehouse.root / "pages" / "revisions"
    editions = lineage.editions(warehouse, limit=MOST_PAGES)
    written = []
    for about in editions:
        path = folder / f"{about['edition']}.html"
        if not path.exists():
            found = report(warehouse, about, printed)
            write_csv(path.with_suffix(".csv"), found.rows)
            write_durably(path, render(warehouse, found).encode())
            written.append(path)
    index = fill("revisions_index.html", data={"profile": warehouse.profile}, editions=editions)
    write_durably(folder / "index.html", index.encode())
    return written


def report(warehouse: Warehouse, about: Row, printed: Printed | None = None) -> EditionReport:
    """What an edition changed: every vintage that begins to stand in it, against its neighbour in that edition."""
    edition = about["edition"]
    with warehouse.engine.connect() as connection:
        standing = line.visible(connection, about["dataset"], edition=edition)
        parts = sorted({row["part"] for row in standing if row["published_in"] == edition})
        found = [
            step
            for step in revisions.steps(warehouse, connection, about["dataset"], parts, edition=edition)
            if step.vintage["published_in"] == edition
        ]
    causes = Causes(warehouse, edition)
    rows = [row for step in found for row in revisions.changes(step, causes, printed)]
    begun = sum(row["published_in"] == edition for row in standing)
    return EditionReport(about, rows, {"compared": len(found), "first": begun - len(found)})


def render(warehouse: Warehouse, found: EditionReport) -> str:
    """The page of one edition."""
    counts: dict[str, int] = defaultdict(int)
    for row in found.rows:
        counts[row["kind"]] += bool(row["period"])
    busiest = revisions.busiest(found.rows, _BUSIEST)
    rewritten = {
        row["part"]: {"series": row["part"], "detail": row["detail"]}
        for row in found.rows
        if row["kind"] == "redefinition" and row["period"] and row["detail"]
    }
    redefined = [*rewritten.values(), *(row for row in found.rows if not row["period"])]
    return fill(
        "revisions.html",
        data={"profile": warehouse.profile},
        report=found,
        counts=counts,
        summary=revisions.summary(found.rows),
        largest=[_told(row) for row in revisions.largest(found.rows, _LARGEST)],
        busiest=busiest,
        redefined=redefined[:_REDEFINED],
        redefined_n=len(redefined),
        triangle=_picture(warehouse, busiest, found.about["edition"]),
    )


def write_csv(path: Path, rows: Iterable[Row]) -> int:
    """Write rows of `revisions` as a table that spreadsheets open rightly, UTF-8 with a byte-order mark; returns their number.

    An old file is replaced in one step.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=_COLUMNS, lineterminator="\n")
    writer.writeheader()
    count = 0
    for row in rows:
        writer.writerow({**row, "dataset": row["series"].partition(":")[0]})
        count += 1
    write_durably(path, text.getvalue().encode("utf-8-sig"))
    return count


def triangle(
    warehouse: Warehouse, series: str, *, period: str | None = None, edition: int | str | None = None
) -> Triangle:
    """The triangle "period × vintage" of a series. Raises UsageError when it is not held, or has no value there."""
    rows = questions.vintages(warehouse, series, period=period or _ALWAYS, edition=edition)
    with warehouse.engine.connect() as connection:
        at = line.edition(connection, warehouse.profile, edition)
        asked = questions.find(connection, series, at)
        vintages = questions.line_of(warehouse, connection, asked, at).vintages
        described = connection.execute(
            select(ledger.datasets.c.description).where(ledger.datasets.c.dataset == asked.dataset)
        ).scalar_one()
    meant: Row = {"label": series, "unit": "", "multiplier": 0}
    for vintage in reversed(vintages):
        held = [row for row in read_vintage(warehouse, vintage).series.to_pylist() if row["series_key"] == asked.key]
        if held:
            meant = held[0]
            break
    unit = f"{meant['unit']} × 10^{meant['multiplier']}" if meant["multiplier"] else meant["unit"]
    sandbox = " · SANDBOX" if warehouse.profile == "sandbox" else ""
    source = (
        f"{described.get('citation', asked.dataset)} ({described.get('licence', {}).get('id', 'licence not stated')})"
    )
    return lay_out(rows, title=f"{meant['label']}{sandbox}", unit=unit, source=source)


def _picture(warehouse: Warehouse, busiest: Sequence[Row], edition: int) -> str:
    """The triangle of the series that changed most; "" when it holds no value in this edition."""
    try:
        return svg(triangle(warehouse, busiest[0]["series"], edition=edition)) if busiest else ""
    except UsageError:
        return ""


def _told(row: Row) -> Row:
    """A change as a person reads it."""
    share = row["numerator_share"]
    cause = f"{row['cause']} ({share:.0%} of it the numerator)" if row["cause"] == "both" else row["cause"] or ""
    return {
        **row,
        "old": f"{row['old']:,.6g}",
        "new": f"{row['new']:,.6g}",
        "relative": "from zero" if row["relative"] == float("inf") else f"{row['relative']:.2%}",
        "cause": cause,
    }
