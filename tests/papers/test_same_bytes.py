"""The same question to the same edition is answered with the same bytes, whichever process asks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from warehouse.papers import inputs
from warehouse.papers.catalogue import Catalogue
from warehouse.store import Warehouse

_ROOT = Path(__file__).resolve().parents[2]
_ASK = """
import json, sys
from pathlib import Path
from warehouse.papers import catalogue, inputs, rows, verdicts
from warehouse.store import Warehouse
known = catalogue.load()
with inputs.hold(Warehouse(Path(sys.argv[1]), "sandbox", create=False), known) as held:
    for one in verdicts.judge(held, known).values():
        print(json.dumps(rows.behind(one)))
"""


def test_all_verdicts_are_the_same_in_two_processes(filled: Warehouse) -> None:
    asked = [
        subprocess.Popen(
            [sys.executable, "-c", _ASK, str(filled.root.parent)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=_ROOT,
            stdout=subprocess.PIPE,
        )
        for seed in ("1", "2")
    ]
    first, second = (process.communicate()[0] for process in asked)
    assert [process.returncode for process in asked] == [0, 0]
    assert first.count(b"\n") > 500
    assert first == second


def test_sums_are_added_up_in_one_order(filled: Warehouse, papers: Catalogue) -> None:
    with inputs.hold(filled, papers) as observations:
        assert observations.database.execute("select current_setting('threads')").fetchone() == (1,)
