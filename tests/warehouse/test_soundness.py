"""Harm done to a warehouse is found and named; what can be mended, maintenance mends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.warehouse.lived import sound
from warehouse import line, maintenance
from warehouse.store import Warehouse


@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        (lambda w, file: w.storage.remove(file), "the file is missing"),
        (lambda w, file: w.storage.write(file, b"PAR1 but not really"), "cannot be read"),
        (lambda w, file: w.tables.change("observations", {}, [Path(file).name[:16]], "harm"), "is missing"),
        (lambda w, file: w.tables.change("series", {}, [Path(file).name[:16]], "harm"), "series: vintage"),
        (lambda w, file: w.storage.remove(next(w.storage.list("payloads"))), "payload"),
        (lambda w, file: w.storage.remove(next(w.storage.list("journal", deep=False))), "journal"),
    ],
    ids=["lost file", "broken file", "lost rows", "lost series", "lost payload", "lost journal"],
)
def test_harm_is_found_and_named(lived: Warehouse, harm: Callable[[Warehouse, str], object], finding: str) -> None:
    assert sound(lived) == []
    with lived.engine.connect() as connection:
        file = line.visible(connection)[0]["observations_file"]
    harm(lived, file)
    assert any(finding in found for found in sound(lived))


def test_tables_that_lag_behind_the_ledger_are_mended(lived: Warehouse) -> None:
    with lived.engine.connect() as connection:
        ids = [row["vintage_id"] for row in line.visible(connection)]
    lived.tables.change("observations", {}, ids[:2], "harm")
    assert len(sound(lived)) == 2
    maintenance.maintain(lived, grace=timedelta(0))
    assert sound(lived) == []
