"""Figurekeeper for analysts: `import figurekeeper as fk`, the verbs as pandas frames.

    fk.values("worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS", period="2017", as_of="2021-12-31")
    fk.vintages("oecd.sbrd:CHN.G_PPP", period="2018")
    fk.revisions("oecd.sbrd", since="2025")
    fk.lineage("oecd.sbrd:CHN.G_PPP", "2018")
    fk.editions()
    fk.papers("paper001", as_of="2021-12-31")
    fk.claim("paper001-c021")
    fk.exhibit("paper003-fig3")
    fk.sql('select * from "current" limit 5')

Re-exports only; the questions themselves are in warehouse/questions.py, warehouse/revisions.py, warehouse/lineage.py and
warehouse/papers/asking.py.
Home and profile come from FIGUREKEEPER_HOME and FIGUREKEEPER_PROFILE; `frame.attrs["profile"]` says whose figures a frame holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from flows import settings as _settings
from warehouse import lineage as _lineage
from warehouse import questions as _questions
from warehouse import revisions as _revisions
from warehouse.errors import FigurekeeperError, UsageError
from warehouse.store import Warehouse

if TYPE_CHECKING:
    import pandas as pd

    from warehouse.papers.catalogue import Catalogue

__all__ = [
    "FigurekeeperError",
    "UsageError",
    "claim",
    "editions",
    "exhibit",
    "exhibits",
    "lineage",
    "papers",
    "revisions",
    "series",
    "sql",
    "values",
    "vintages",
]


def _open() -> Warehouse:
    current = _settings.load()
    return Warehouse(**current.place, create=False)


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return _marked(pd.DataFrame(rows))


def _marked(frame: pd.DataFrame) -> pd.DataFrame:
    frame.attrs["profile"] = _settings.load().profile
    return frame


def _text(when: str | int | date | None) -> str | None:
    """2017 and date(2021, 12, 31) as well as "2017" and "2021-12-31"."""
    return when.isoformat() if isinstance(when, date) else None if when is None else str(when)


def values(
    series: str | Sequence[str],
    *,
    as_of: str | int | date | None = None,
    first: bool = False,
    edition: int | str | None = None,
    period: str | int | None = None,
) -> pd.DataFrame:
    """Values of one or several series: the latest, as known at the end of a day (UTC), or as first held.

    Columns: series, period, value, unit, multiplier (power of ten), value_text (as published), status, known_from (UTC),
    precision, basis, vintage, edition, next_known_from, gap (nobody looked before the next vintage), ambiguous (the day asked
    lies inside an imprecise stamp). Raises UsageError.
    """
    names = [series] if isinstance(series, str) else list(series)
    found = _questions.values(_open(), names, as_of=_text(as_of), first=first, edition=edition, period=_text(period))
    return _frame(found)


def vintages(series: str, *, period: str | int | None = None, edition: int | str | None = None) -> pd.DataFrame:
    """Every vintage of a series, with the values of a period in each; columns as in warehouse.questions.vintages."""
    return _frame(_questions.vintages(_open(), series, period=_text(period), edition=edition))


def series(dataset: str | None = None) -> pd.DataFrame:
    """Every series held: series, part, label, entity, unit, multiplier, first, last, observations."""
    return _frame(_questions.series(_open(), dataset))


def revisions(
    of: str | None = None, *, since: str | int | date | None = None, edition: int | str | None = None
) -> pd.DataFrame:
    """Changes between neighbouring vintages of a dataset, series or batch; columns as in warehouse.revisions.revisions."""
    from warehouse.papers import printed_cells

    warehouse = _open()
    printed = printed_cells.texts(warehouse, _catalogue())
    return _frame(_revisions.revisions(warehouse, of, since=_text(since), edition=edition, printed=printed))


def lineage(
    series: str, period: str | int, *, as_of: str | int | date | None = None, edition: int | str | None = None
) -> dict[str, Any]:
    """Everything behind one number; keys as in warehouse.lineage.lineage."""
    return _lineage.lineage(_open(), series, str(period), as_of=_text(as_of), edition=edition)


def editions(limit: int = 30) -> pd.DataFrame:
    """The newest editions first, with the id that a paper cites; columns as in warehouse.lineage.editions."""
    return _frame(_lineage.editions(_open(), limit=limit))


def papers(
    paper: str | None = None,
    *,
    as_of: str | int | date | None = None,
    edition: int | str | None = None,
) -> pd.DataFrame:
    """A row a statement of one paper (None: of all, your own too) with its verdict; columns as in warehouse.papers.rows.of.

    `as_of` leaves out what became known later. Raises UsageError.
    """
    from warehouse.papers import asking, rows

    found = asking.of_paper(_open(), _catalogue(), paper, asking.When(_text(as_of), edition))
    return _frame([rows.of(one) for one in found])


def claim(statement: str, *, as_of: str | int | date | None = None, edition: int | str | None = None) -> dict[str, Any]:
    """Everything behind the verdict on one statement, such as "paper001-c021"; keys as in warehouse.papers.asking.claim."""
    from warehouse.papers import asking

    return asking.claim(_open(), _catalogue(), statement, asking.When(_text(as_of), edition))


def exhibit(which: str, *, as_of: str | int | date | None = None, edition: int | str | None = None) -> pd.DataFrame:
    """A figure or table such as "paper003-fig3"; columns as in warehouse.papers.figures.exhibits.table.

    `frame.attrs` holds profile, edition (the id to cite), title, source (with licence), unit, note and citation. Raises
    UsageError.
    """
    from warehouse.papers import asking

    told = asking.exhibit(_open(), _catalogue(), which, asking.When(_text(as_of), edition))
    frame = _frame(list(told.rows))
    frame.attrs |= asking.attributes(told)
    return frame


def exhibits(
    paper: str | None = None, *, as_of: str | int | date | None = None, edition: int | str | None = None
) -> pd.DataFrame:
    """The figures and tables of one paper (None: of all), each with the verdict on it as a whole; columns as in
    warehouse.papers.asking.exhibits."""
    from warehouse.papers import asking

    return _frame(asking.exhibits(_open(), _catalogue(), paper, asking.When(_text(as_of), edition)))


def _catalogue() -> Catalogue:
    """The papers, ours and the user's own; a file of theirs that is wrong is told as a warning, and hides no other."""
    import warnings

    from warehouse.papers import catalogue

    found = catalogue.load(_settings.load().papers)
    for error in found.wrong.values():
        warnings.warn(str(error), stacklevel=3)
    return found


def sql(query: str) -> pd.DataFrame:
    """A query on indicators.duckdb as it is now (tables current, vintages, series, observations, …), read-only."""
    from warehouse import snapshot

    with snapshot.connect(_open()) as connection:
        return _marked(connection.sql(query).df())
