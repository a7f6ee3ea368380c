"""docs/datasets.md says what the dataset files and the facts say."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import datasets
from connectors.datasets import table as dataset_table


def test_the_pages_are_what_the_files_make() -> None:
    assert dataset_table.main([]) == 0, "python -m connectors.datasets.table --write"


def test_every_dataset_and_part_is_on_the_page() -> None:
    page = (dataset_table.DOCS / "datasets.md").read_text(encoding="utf-8")
    for dataset in datasets.load_all().values():
        assert f"\n## {dataset.id}\n" in page
        assert f"](#{dataset.id.replace('.', '')})" in page
        for part in dataset.parts:
            assert f"| {part.id} | `{part.key}` |" in page


def test_a_stale_page_is_an_error_until_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (dataset_table.DOCS / "new-dataset.md").read_text(encoding="utf-8")
    (tmp_path / "new-dataset.md").write_text(guide.replace("| needed |", "| not needed |"), encoding="utf-8")
    monkeypatch.setattr(dataset_table, "DOCS", tmp_path)
    assert dataset_table.main([]) == 1
    assert dataset_table.main(["--write"]) == 0
    assert dataset_table.main([]) == 0
    assert (tmp_path / "new-dataset.md").read_text(encoding="utf-8") == guide


def test_every_field_is_explained() -> None:
    explained = [
        line.split("|")[3].strip() for line in dataset_table.guide().partition("## All fields")[2].splitlines()[3:]
    ]
    assert len(explained) > 50
    assert all(explained)
