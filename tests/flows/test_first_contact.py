"""First contact, against the sandbox: what is as the dataset files say, what is said of what is not, and what follows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from connectors import datasets
from connectors.contact import expected
from connectors.http import recording
from connectors.sandbox.server import Sandbox, serve
from flows import alerts, catalogue, check_providers, contacted, first_contact, pipeline
from flows.first_contact import Contact
from flows.settings import Settings
from warehouse import lineage
from warehouse.errors import UsageError


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def meet(settings: Settings, *names: str, **options: Any) -> list[Contact]:
    return first_contact.meet(settings, names, note=lambda _: None, **options)


def test_everything_is_as_the_files_say_or_differs_as_the_list_says(settings: Settings) -> None:
    told: list[str] = []
    met = first_contact.meet(settings, note=told.append)
    assert {one.dataset: one.verdict for one in met} == {
        name: "as the file says" if dataset.verified else "differs as expected"
        for name, dataset in datasets.load_all().items()
        if dataset.reads == "api"
    }
    assert len(told) == len(met)
    listed = [name for entry in expected.entries() for name in entry.datasets]
    assert sorted(listed) == sorted(set(listed))
    assert set(listed) <= set(datasets.known_ids())
    warehouse = pipeline.open_warehouse(settings, create=False)
    assert lineage.batches(warehouse, limit=10) == []  # nothing was published, and no batch recorded
    standing = contacted.standing(settings, datasets.load_all().values())
    assert re.match(r"1 of \d datasets verified", standing["worldbank"])


#: Fault, dataset, and what first contact must say: the short word, the field's line in the file, and words of the finding.
SAID = [
    ("new_dimension", "oecd.sbrd", "dimension-new", ("dimensions",), "ADJUSTMENT is new"),
    ("new_dimension", "nbs.fdi_by_country", "UnexpectedPayload", ("dimensions",), "a new dimension kj1"),
    ("changed_unit", "oecd.sbrd", "multiplier", ("parts", 0, "multiplier"), "3 in the answer, 0 in the file"),
    ("changed_unit", "worldbank.wdi", "unit", ("parts", 0, "unit"), "thousands in the answer, % of GDP in the file"),
    ("changed_unit", "nbs.fdi_by_country", "unit", ("parts", 0), "'万亿美元' beside it"),
    ("vanished_code", "oecd.sbrd", "code-vanished", ("parts", 2, "key"), "G_PPP is gone"),
    ("vanished_code", "worldbank.wdi", "NotFound", ("parts", 0, "key"), "deleted or archived"),
    ("vanished_country", "worldbank.wdi", "entities", ("entities", 2), "not in the answer: KOR"),
    ("version_bump", "oecd.pct_cooperation", "NotFound", ("flow",), "knows no such dataflow"),
    ("changed_role", "oecd.pct_cooperation", "role-changed", ("parts", 0, "key"), "_Z is gone"),
    ("renamed_column", "oecd.sbrd", "UnexpectedPayload", ("parts", 0), "no column OBS_VALUE"),
]


@pytest.mark.parametrize(("fault", "name", "what", "where", "words"), SAID)
def test_a_difference_is_told_with_the_line_to_change(
    settings: Settings, fault: str, name: str, what: str, where: tuple[str | int, ...], words: str
) -> None:
    [met] = meet(settings, name, fault=fault)
    assert met.verdict == "differs"
    assert not met.passed
    line = datasets.line_of(datasets.path_of(name), *where)
    rows = first_contact.rows(settings, [met])
    assert [
        row for row in rows if (row["what"], row["place"]) == (what, f"{name}.yaml:{line}") and words in row["finding"]
    ]
    assert all(row["next"] for row in rows)
    assert contacted.last(settings, name) is None  # a fault of the sandbox says nothing of the provider


def test_an_answer_on_which_the_reader_breaks_is_a_difference(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("connectors.worldbank.connector.parse", breaks)
    [met] = meet(settings, "worldbank.wdi")
    [difference] = met.differences
    assert difference.what == "UnexpectedPayload"
    assert "ZeroDivisionError: by nothing" in difference.words


def test_a_provider_that_cannot_be_asked_is_asked_once(settings: Settings) -> None:
    first, second, other = meet(settings, "oecd.pct_cooperation", "oecd.sbrd", "worldbank.wdi", fault="403")
    assert [one.verdict for one in (first, second, other)] == ["failed", "not asked", "failed"]
    assert (first.requests, second.requests) == (1, 0)
    [row] = first_contact.rows(settings, [second])
    assert row["what"] == "Blocked"
    assert "wait some hours" in row["next"]


def test_the_longest_unseen_is_asked_first(settings: Settings) -> None:
    meet(settings, "oecd.sbrd")
    told: list[str] = []
    first_contact.meet(settings, ("oecd.sbrd", "oecd.pct_cooperation"), note=told.append)
    assert [line.split(":")[0] for line in told] == ["oecd.pct_cooperation", "oecd.sbrd"]


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., Path]:
    """Writes a dataset file of the user's own, unverified, like oecd.sbrd with some fields changed."""

    def write(**changed: Any) -> Path:
        data = YAML(typ="safe").load(datasets.path_of("oecd.sbrd"))
        data |= {"id": "oecd.mine", "status": "unverified", "parts": data["parts"][:1], **changed}
        data["parts"][0].pop("ratio", None)
        folder = tmp_path / "datasets"
        folder.mkdir(exist_ok=True)
        with (folder / "oecd.mine.yaml").open("w", encoding="utf-8") as file:
            YAML().dump(data, file)
        return folder

    return write


def test_an_unverified_dataset_that_passes_is_enabled_until_its_file_changes(
    tmp_path: Path, own: Callable[..., Path]
) -> None:
    settings = Settings(home=tmp_path / "home", datasets=own())
    assert "oecd.mine" not in catalogue.enabled(settings)
    [met] = meet(settings, "oecd.mine")
    assert met.passed
    assert "oecd.mine" in catalogue.enabled(settings)
    own(title="another")
    assert "oecd.mine" not in catalogue.enabled(settings)


def test_in_profile_live_a_contact_counts_for_the_address_where_it_was_made(tmp_path: Path) -> None:
    sandbox: Sandbox
    with serve() as sandbox:
        settings = Settings(home=tmp_path, profile="live", worldbank_url=f"http://127.0.0.1:{sandbox.port}/worldbank")
        [met] = meet(settings, "worldbank.wdi")
    assert met.good
    dataset = catalogue.load(settings, "worldbank.wdi")
    assert contacted.seen(settings, dataset)
    standing = catalogue.standing(settings)
    assert re.match(r"1 of \d+ datasets verified against the provider, the last on \d{4}-", standing["worldbank"])
    assert standing["oecd"] == "never verified against the provider"
    assert contacted.seen(Settings(home=tmp_path, profile="live"), dataset) is None


def test_a_dataset_on_the_list_that_does_not_differ_is_a_finding(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    [entry, *_] = expected.entries()
    listed = entry.model_copy(update={"datasets": ("worldbank.wdi",)})
    monkeypatch.setattr(expected, "entries", lambda: (listed,))
    [met] = meet(settings, "worldbank.wdi")
    assert met.verdict == "no longer differs as expected"
    assert not met.good
    [row] = first_contact.rows(settings, [met])
    assert entry.reason in row["finding"]
    assert "expected_differences.yaml" in row["next"]


def test_incidents_open_once_and_close_with_the_next_good_contact(settings: Settings) -> None:
    bad = meet(settings, "worldbank.wdi", fault="changed_unit")
    [opened] = first_contact.open_incidents(settings, bad)
    assert (opened.dataset, opened.kind) == ("worldbank.wdi", "first contact")
    assert "worldbank.wdi.yaml:" in opened.text
    assert first_contact.open_incidents(settings, bad) == []
    good = meet(settings, "worldbank.wdi")
    [closed] = first_contact.close_incidents(settings, good)
    assert closed.id == opened.id
    assert first_contact.close_incidents(settings, good) == []


def test_datasets_read_from_files_and_unknown_ones_are_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="unknown dataset"):
        meet(settings, "oecd.nothing")
    files = [name for name, dataset in datasets.load_all().items() if dataset.reads == "files"]
    for name in files:
        with pytest.raises(UsageError, match="nothing to contact"):
            meet(settings, name)


def test_the_flow_publishes_its_report_and_fails_on_what_is_unexpected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIGUREKEEPER_HOME", str(tmp_path))
    pages: dict[str, str] = {}
    announced: list[Any] = []
    monkeypatch.setattr(check_providers, "create_markdown_artifact", lambda page, key, **_: pages.setdefault(key, page))
    monkeypatch.setattr(alerts, "announce", announced.append)
    monkeypatch.setattr(check_providers, "core_note", lambda: print)
    form = check_providers.FirstContactForm(datasets=["worldbank.wdi", "oecd.msti"])
    state = check_providers.first_contact_with_providers.fn(form)
    assert state.is_completed()
    assert "| oecd.msti | differs as expected | NotFound, structure-read |" in pages["first-contact"]
    assert announced == []
    monkeypatch.setattr(expected, "entries", lambda: ())
    pages.clear()
    failed = check_providers.first_contact_with_providers.fn(form)
    assert failed.is_failed()
    assert "oecd.msti" in str(failed.message)
    assert "| oecd.msti | differs | NotFound | oecd.msti.yaml:" in pages["first-contact"]
    assert [change.dataset for change in announced] == ["oecd.msti"]


def test_the_record_is_plain_json(settings: Settings) -> None:
    meet(settings, "worldbank.wdi")
    record = json.loads(settings.storage.read("first-contact/worldbank.wdi.json"))
    assert record["passed"] is True
    assert record["file_sha256"] == datasets.load("worldbank.wdi").sha256
    assert record["seen"]["stamp"].endswith("(day, publisher)")
    assert recording.INDEX not in "".join(settings.storage.list("first-contact"))
