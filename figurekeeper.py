"""Figurekeeper for analysts: `import figurekeeper as fk`, five verbs, pandas frames.

    fk.values("worldbank.wdi:KOR.GB.XPD.RSDV.GD.ZS", period="2017", as_of="2021-12-31")
    fk.vintages("oecd.sbrd:CHN.G_PPP", period="2018")
    fk.revisions("oecd.sbrd", since="2025")
    fk.lineage("oecd.sbrd:CHN.G_PPP", "2018")
    fk.sql('select * from "current" limit 5')

Re-exports only; the questions themselves are in warehouse/questions.py and warehouse/lineage.py. Home and profile come from
FIGUREKEEPER_HOME and FIGUREKEEPER_PROFILE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flows import settings as _settings
from warehouse import lineage as _lineage
from warehouse import questions as _questions
from warehouse.errors import FigurekeeperError, UsageError
from warehouse.store import Warehouse

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FigurekeeperError", "UsageError", "lineage", "revisions", "sql", "values", "vintages"]


def _open() -> Warehouse:
    current = _settings.load()
    return Warehouse(current.home, current.profile, create=False)


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)


def values(
    series: str | Sequence[str],
    *,
    as_of: str | None = None,
    first: bool = False,
    edition: int | None = None,
    period: str | None = None,
) -> pd.DataFrame:
    """Values of one or several series; columns and errors as in warehouse.questions.values."""
    names = [series] if isinstance(series, str) else list(series)
    return _frame(_questions.values(_open(), names, as_of=as_of, first=first, edition=edition, period=period))


def vintages(series: str, *, period: str | None = None, edition: int | None = None) -> pd.DataFrame:
    """Every vintage of a series; columns as in warehouse.questions.vintages."""
    return _frame(_questions.vintages(_open(), series, period=period, edition=edition))


def revisions(dataset: str | None = None, *, since: str | None = None, edition: int | None = None) -> pd.DataFrame:
    """Changes between neighbouring vintages; columns as in warehouse.questions.revisions."""
    return _frame(_questions.revisions(_open(), dataset, since=since, edition=edition))


def lineage(series: str, period: str, *, as_of: str | None = None, edition: int | None = None) -> dict[str, Any]:
    """Everything behind one number; keys as in warehouse.lineage.lineage."""
    return _lineage.lineage(_open(), series, period, as_of=as_of, edition=edition)


def sql(query: str) -> pd.DataFrame:
    """A query on indicators.duckdb as it is now (tables current, vintages, series, observations, …), read-only."""
    from warehouse import snapshot

    with snapshot.connect(_open()) as connection:
        frame: pd.DataFrame = connection.sql(query).df()
        return frame
