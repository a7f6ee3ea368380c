"""Papers in the analysts' file (snapshot): the tables `verdicts` and `exhibits`, and a view a figure or table.

Belongs here: which rows and columns these tables have, and what each column is. Does not belong here: how the file is written
(snapshot). A user's own papers are not in it: they are asked by the command line and Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import duckdb

    from warehouse.store import Warehouse

_TEXT, _NUMBER, _COUNT, _TRUTH = pa.string(), pa.float64(), pa.int64(), pa.bool_()
#: Column, type and meaning of `verdicts`, which are the fields of warehouse.papers.rows.of.
VERDICTS = (
    ("id", _TEXT, "the statement: a claim, or a cell of a table"),
    ("paper", _TEXT, "the paper"),
    ("exhibit", _TEXT, "the figure or table it belongs to"),
    ("verdict", _TEXT, "what the warehouse says of it; docs/papers.md has the list"),
    ("verdict_zh", _TEXT, "the verdict in Chinese"),
    ("says", _TEXT, "the statement in our words"),
    ("says_zh", _TEXT, "the statement in Chinese"),
    ("period", _TEXT, "of the statement, as printed"),
    ("printed", _TEXT, "the number as printed, every digit, with the sense of its hedge"),
    ("unit", _TEXT, "of printed, then, before, after, now and margin"),
    ("scale", _COUNT, "power of ten by which printed, then, before, after and now count: 8 for 亿"),
    ("then", _NUMBER, "value in the vintage of the paper's days; null: none is held, or there are several numbers"),
    ("then_known_from", _TEXT, "from when the public could know that value, UTC"),
    ("before", _NUMBER, "value in the nearest vintage before the paper's days"),
    ("before_known_from", _TEXT, "from when the public could know that value, UTC"),
    ("after", _NUMBER, "value in the nearest vintage after the paper's days"),
    ("after_known_from", _TEXT, "from when the public could know that value, UTC"),
    ("now", _NUMBER, "value in the newest vintage"),
    ("now_known_from", _TEXT, "from when the public could know that value, UTC"),
    ("then_vintages", _TEXT, "the vintages behind then, joined by ;"),
    ("now_vintages", _TEXT, "the vintages behind now, joined by ;"),
    ("stands", _TRUTH, "whether the statement is as printed in the newest vintage"),
    ("holds", _TEXT, "how many of its numbers are as printed"),
    ("which", _TEXT, "the numbers that are not, joined by ;"),
    ("tried", _COUNT, "how many readings could be computed"),
    ("agreeing", _COUNT, "how many of them agree"),
    ("margin", _NUMBER, "how far the value is outside of what the printed number allows; 0: within"),
    ("rule", _TEXT, "how the printed number was compared"),
    ("rule_zh", _TEXT, "the rule in Chinese"),
    ("cause", _TEXT, "what revised the number since"),
    ("cause_zh", _TEXT, "the cause in Chinese"),
    ("correction", _TEXT, "what would fit, where the paper contradicts itself"),
    ("correction_zh", _TEXT, "the correction in Chinese"),
    ("why", _TEXT, "why nothing was computed"),
    ("why_zh", _TEXT, "the same in Chinese"),
    ("source", _TEXT, "the source as the paper names it"),
    ("source_basis", _TEXT, "whether the paper names the source, or it was assigned by us"),
)  # fmt: skip
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
    ("now", _NUMBER, "value in the newest vintage"),
    ("now_known_from", _TEXT, "from when the public could know that value, UTC"),
    ("vintage", _TEXT, "the vintages behind now: dataset/part id, joined by ;"),
    ("status", _TEXT, "the provider's flags of the newest value, joined by ;"),
    ("verdict", _TEXT, "on a printed cell"),
    ("verdict_zh", _TEXT, "the verdict in Chinese"),
    ("statement", _TEXT, "the id of a printed cell in the table verdicts"),
    ("note", _TEXT, "what is assumed, why it is a proxy, or why nothing was computed"),
    ("note_zh", _TEXT, "the note in Chinese"),
)  # fmt: skip


def write(database: duckdb.DuckDBPyConnection, warehouse: Warehouse, edition: int) -> dict[tuple[str, str], str]:
    """Create `verdicts`, `exhibits` and a view an exhibit that has rows; returns the comment of each table's columns."""
    from warehouse.papers import catalogue, inputs, rows, verdicts
    from warehouse.papers.figures import exhibits

    papers = catalogue.load()
    with inputs.hold(warehouse, papers, edition=edition or None) as held:
        judged = [rows.of(one) for one in verdicts.judge(held, papers).values()]
        names = [one.id for paper in papers.papers.values() for one in paper.exhibits]
        shown = [row for name in names for row in exhibits.table(held, papers, name)]
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
