"""Papers in the analysts' file (snapshot): the tables `verdicts` and `exhibits`, and a view a figure or table.

Belongs here: which rows and columns these tables have, and what each column is. Does not belong here: how the file is written
(snapshot). A user's own papers are not in it: they are asked by the command line and Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from warehouse.papers import rows

if TYPE_CHECKING:
    import duckdb

    from warehouse.papers.asking import Answers
    from warehouse.store import Warehouse

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()
_ARROW = {str: _TEXT, float: _NUMBER, int: _COUNT, bool: pa.bool_()}
#: Column, type and meaning of `verdicts`, which are the fields of warehouse.papers.rows.of.
VERDICTS = tuple((name, _ARROW[kind], what) for name, (kind, what) in rows.MEANING.items())
#: The same of `exhibits`, which are the fields of warehouse.papers.figures.exhibits.table.
EXHIBITS = (
    ("exhibit", _TEXT, "the figure or table; each has a view of its own as well, such as paper003_fig3"),
    ("row", _TEXT, "of the printed table, or the line of a figure"),
    ("row_zh", _TEXT, "the row in Chinese"),
    ("column", _TEXT, "of the printed table"),
    ("column_zh", _TEXT, "the column in Chinese"),
    ("entity", _TEXT, "the economy, or economies"),
    ("partner", _TEXT, "the other side, where there is one"),
    ("period", _TEXT, "SDMX period, or as printed"),
    ("unit", _TEXT, "of printed, then and now"),
    ("scale", _COUNT, "power of ten by which printed, then and now count: 8 for 亿"),
    ("printed", _TEXT, "the number as printed, every digit"),
    ("then", _NUMBER, "value in the vintage of the paper's days, or the nearest; then_is says which"),
    ("then_is", _TEXT, "inside the paper's days, or the nearest vintage before or after them"),
    ("then_known_from", _TEXT, "from when the public could know that value, UTC"),
    ("then_vintage", _TEXT, "the vintages behind then: dataset/part id, joined by ;"),
    ("then_status", _TEXT, "the provider's flags of the observations behind then, joined by ;"),
    ("now", _NUMBER, "value in the newest vintage"),
    ("now_known_from", _TEXT, "from when the public could know that value, UTC"),
    ("vintage", _TEXT, "the vintages behind now: dataset/part id, joined by ;"),
    ("status", _TEXT, "the provider's flags of the observations behind now, joined by ;"),
    ("verdict", _TEXT, "on a printed cell"),
    ("verdict_zh", _TEXT, "the verdict in Chinese"),
    ("statement", _TEXT, "the id of a printed cell in the table verdicts"),
    ("note", _TEXT, "what is assumed, why it is a proxy, or why nothing was computed"),
    ("note_zh", _TEXT, "the note in Chinese"),
)  # fmt: skip


def write(
    database: duckdb.DuckDBPyConnection, warehouse: Warehouse, edition: int, answers: Answers | None = None
) -> dict[tuple[str, str], str]:
    """Create `verdicts`, `exhibits` and a view an exhibit that has rows; returns the comment of each table's columns.

    `answers` of the same edition spare judging again.
    """
    from warehouse.papers import asking, catalogue

    papers = asking.shared(catalogue.load())
    if answers is None or answers.edition != edition:
        answers = asking.everything(warehouse, papers, edition or None)
    judged = [rows.of(answers.judged[name]) for name in papers.statements]
    names = [one.id for paper in papers.papers.values() for one in paper.exhibits]
    shown = [row for name in names for row in answers.exhibits[name].rows]
    comments: dict[tuple[str, str], str] = {}
    for table, columns, found in (("verdicts", VERDICTS, judged), ("exhibits", EXHIBITS, shown)):
        schema = pa.schema([(name, kind) for name, kind, _ in columns])
        database.register("given", pa.Table.from_pylist(found, schema=schema))
        database.execute(f"create table {table} as select * from given")
        database.unregister("given")
        comments |= {(table, name): what for name, _, what in columns}
    for name in dict.fromkeys(row["exhibit"] for row in shown):
        view = name.replace("-", "_")
        database.execute(f"create view {view} as select * exclude (exhibit) from exhibits where exhibit = '{name}'")
        comments |= {(view, column): what for column, _, what in EXHIBITS[1:]}
    return comments
