"""Dataset files: the ones we ship, and that a wrong one is told all its mistakes at once, each with its line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from connectors import datasets
from warehouse.errors import UsageError

#: With facts, so that a clone without network refreshes them; whatever else is shipped waits for a first contact.
ENABLED = [
    "nbs.beijing_expenditure",
    "nbs.fdi_by_country",
    "nbs.science_technology",
    "oecd.gerd",
    "oecd.patents",
    "oecd.pct_cooperation",
    "oecd.sbrd",
    "worldbank.wdi",
]


def test_all_shipped_files_load_and_are_complete() -> None:
    found = datasets.survey()
    assert found.wrong == {}
    assert list(found.enabled) == ENABLED == datasets.enabled_ids()
    assert len(found.waiting) > 20
    for one in (*found.enabled.values(), *found.waiting.values()):
        assert one.title_zh
        assert all(part.label_zh for part in one.parts)
        assert one.calendar.lag
        assert one.licence.url.startswith("https://")


def test_no_two_datasets_of_a_provider_are_asked_at_the_same_minute() -> None:
    calendars = [(one.provider, one.calendar.cron) for one in datasets.load_all().values()]
    assert sorted(calendars) == sorted(set(calendars))


@pytest.mark.worldbank
def test_the_economies_are_those_of_the_papers_and_their_groups() -> None:
    entities = set(datasets.load("worldbank.wdi").entities)
    assert {"CHN", "JPN", "KOR", "USA", "GBR", "FRA", "DEU", "CAN", "MEX", "WLD", "EUU"} <= entities
    assert {"ARG", "TUR", "SAU", "ZAF", "IDN"} <= entities  # G20
    assert {"KAZ", "PSE", "MKD", "BTN", "MNG"} <= entities  # Belt and Road
    assert not entities & {"ROM", "ZAR", "TMP", "WBG", "ADO", "TWN"}  # codes of the past, or never there


def test_an_unknown_dataset_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"did you mean worldbank\.wdi\?.*oecd\.sbrd"):
        datasets.load("worldbank.wid")


def test_the_hash_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "oecd.x.yaml").write_bytes(b"id: oecd.x\n")
    content = (datasets.FOLDER / "oecd.sbrd.yaml").read_bytes().replace(b"\n", b"\r\n")
    path = tmp_path / "oecd.sbrd.yaml"
    path.write_bytes(content)
    assert datasets.load_file(path).sha256 == hashlib.sha256(content).hexdigest()
    assert datasets.load("oecd.sbrd").sha256 != datasets.load_file(path).sha256


def test_all_mistakes_at_once_with_their_lines(tmp_path: Path) -> None:
    text = (datasets.FOLDER / "oecd.sbrd.yaml").read_text(encoding="utf-8")
    lines = text.replace('start: "1981"', "start: 1981\nstrat: 1").replace("Europe/Paris", "Europe/Pariss", 1)
    lines = lines.replace("kind: share", "kind: part", 1).replace("JPN, KOR,", "JPN, JPN, KOR,", 1)
    lines = lines.replace('key: "{entities}.B_XGDP"', 'key: "CHN.B_XGDP"').replace("cron: ", "cron: 99 ")
    lines = lines.replace("owner: ", "title: twice\nnobody: ").replace("id: B_PPP", "id: G_PPP")
    path = tmp_path / "oecd.sbrd.yaml"
    path.write_text(lines, encoding="utf-8")
    with pytest.raises(datasets.DatasetFileError) as caught:
        datasets.load_file(path)
    expected = {
        "start: Input should be a valid string": "start: 1981",
        "strat: Extra inputs": "strat: 1",
        "publisher_timezone: Value error": "publisher_timezone: Europe/Pariss",
        "kind: Input should be": "kind: part",
        "entities: 'JPN' is listed twice": "entities: [",
        "key: lacks {entities}": 'key: "CHN',
        "cron": "cron: 99",
        "title: stands twice": "title: twice",
        "owner: Field required": "",
        "nobody: Extra inputs": "nobody:",
        "parts: 'G_PPP' is listed twice": "- id: G_PPP",
    }
    assert len(caught.value.mistakes) == len(expected), caught.value
    numbered = lines.splitlines()
    for said, at in expected.items():
        (mistake,) = (one for one in caught.value.mistakes if said in one)
        assert at in numbered[int(mistake.split(":")[0]) - 1], mistake
    assert "Next: correct" in str(caught.value)


#: A change of oecd.pct_cooperation, at which line it is told (by what stands there), and what is said of it.
CONTRADICTIONS = {
    "9P50_1.A.AP.PATN.PRIORITY.": ("9P50_1.AP.PATN.PRIORITY.", "key: 10 segments for 11 dimensions"),
    "PT_PATN.PRIORITY.{entities}.WXD": ("PT_PATN.PRIORITY.WXD.{entities}", "{entities} stands for PARTNER_AREA"),
    "9P50_1.A.AP.PATN": ("9P50_1.M.AP.PATN", "key: asks for FREQ M, and the frequency is A"),
    "unit: patent applications\n": ("unit: patent applications\n    unit_code: PT_PATN\n", "unit_code: is PT_PATN"),
    "checks: {min_observations: 340, minimum: 0}": ("checks: {minimum: 9, maximum: 1}", "minimum 9 is above maximum 1"),
    "minimum: 0, maximum: 100": ("minimum: -1, maximum: 100", "minimum: -1, but negative values are not allowed"),
    "kind: share\n": ("kind: share\n    multiplier: 6\n", "multiplier: a share has none"),
    "kind: level\n    unit: patent applications\n    decimals: 1\n    equal_within: 1.0e-6\n": (
        "kind: count\n    unit: patent applications\n    equal_within: 1.0e-7\n",
        "equal_within: counts are compared exactly",
    ),
    "notes: shares": ("ratio: {numerator: COPAT}\n    notes: shares", "ratio: the dataset has no part 'COPAT'"),
    "notes: whole": ("ratio: {numerator: COPAT_NB}\n    notes: whole", "'COPAT_NB' is the part itself"),
    "notes: whole counts": (
        "indicators: {a: b}\n    notes: whole counts",
        "indicators: says something about data of nbs",
    ),
    "  entities_required: [CHN,": ("  entities_required: [TWN, CHN,", "not among the entities: TWN"),
    "stale_after_days: 30": ("stale_after_days: 3", "the cron line leaves 7 days between two refreshes"),
    "  stale_after_days:": ("  full_read_days: 31\n  stale_after_days:", "full_read_days: 31 (left out: 7)"),
    '"0 8 * * 1"': ('"0 8 * * 8"', "calendar.cron"),
    "@DF_PATENTS_COINVENTOR,1.0\nd": ("@DF_PATENTS_COINVENTOR\nd", "is not AGENCY,DSD@DF,VERSION"),
    'start: "1978"': ('start: "1978-Q1"', "is no period of the frequency"),
    "  - FREQ\n": ("  - FREQ\n  - FREQ # again\n", "dimensions: 'FREQ' is listed twice"),
    "status: verified offline": ("status: verified", "status: Input should be"),
}


@pytest.mark.oecd
@pytest.mark.parametrize("old", CONTRADICTIONS)
def test_a_contradiction_is_told_at_its_line(old: str, tmp_path: Path) -> None:
    source = datasets.FOLDER / "oecd.pct_cooperation.yaml"
    new, said = CONTRADICTIONS[old]
    text = source.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / source.name
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(datasets.DatasetFileError) as caught:
        datasets.load_file(path)
    [line] = [int(mistake.split(":")[0]) for mistake in caught.value.mistakes if said in mistake]
    changed = set(path.read_text().splitlines()) - set(text.splitlines())
    shown = path.read_text().splitlines()[line - 1]
    assert shown in changed


@pytest.mark.parametrize(
    ("dataset", "old", "new", "said"),
    [
        ("worldbank.wdi", "key: SP.POP.TOTL", "key: SP POP", "is not an indicator code"),
        ("worldbank.wdi", "besides: [", "besides: [KOR,", "besides: 'KOR' is listed twice"),
        ("worldbank.wdi", 'flow: "2"', 'flow: "WDI"', "is not the number of a source"),
        ("worldbank.wdi", 'flow: "2"', 'flow: "2"\nroot: sti-public', "root: says something about data of oecd only"),
        ("worldbank.wdi", 'start: "1990"', 'start: "1990"\nend: "1980"', "end: 1980 lies before the start"),
        ("nbs.fdi_by_country", 'start: "1990"', 'start: "1990"\nend: "2030"', "end: says something about data of"),
        ("nbs.fdi_by_country", "kind: level", "kind: level\n    besides: [MCO]", "the World Bank alone is asked"),
        ("nbs.fdi_by_country", "key: 5012", "key: A060B0102_", "is not the cid of a leaf"),
        (
            "nbs.fdi_by_country",
            "kind: level",
            "kind: level\n    unit_code: USD",
            "unit_code: says something about data of",
        ),
    ],
)
def test_a_provider_s_own_forms_are_checked(dataset: str, old: str, new: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / f"{dataset}.yaml"
    text = (datasets.FOLDER / path.name).read_text(encoding="utf-8")
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(datasets.DatasetFileError) as caught:
        datasets.load_file(path)
    [mistake] = caught.value.mistakes
    assert said in mistake
    assert new.splitlines()[-1].split(":")[0].strip() in path.read_text().splitlines()[int(mistake.split(":")[0]) - 1]


def test_one_s_own_files_count_beside_ours_and_an_id_of_ours_is_refused(tmp_path: Path) -> None:
    text = (datasets.FOLDER / "oecd.sbrd.yaml").read_text(encoding="utf-8")
    (tmp_path / "oecd.mine.yaml").write_text(text.replace("id: oecd.sbrd", "id: oecd.mine"), encoding="utf-8")
    assert set(datasets.known_ids(tmp_path)) == {*datasets.known_ids(), "oecd.mine"}
    assert datasets.load("oecd.mine", tmp_path).parts == datasets.load("oecd.sbrd").parts
    assert datasets.path_of("oecd.mine", tmp_path).parent == tmp_path
    (tmp_path / "oecd.other.yaml").write_text(text.replace("id: oecd.sbrd", "id: oecd.mine"), encoding="utf-8")
    (tmp_path / "oecd.sbrd.yaml").write_text(text, encoding="utf-8")
    found = datasets.survey(tmp_path)
    assert {name: len(error.mistakes) for name, error in found.wrong.items()} == {"oecd.other": 2, "oecd.sbrd": 1}
    assert "that of another file" in str(found.wrong["oecd.sbrd"])
    assert {"oecd.mine", "worldbank.wdi"} <= found.enabled.keys()


def test_an_unverified_dataset_is_enabled_by_a_first_contact_alone(tmp_path: Path) -> None:
    text = (datasets.FOLDER / "oecd.sbrd.yaml").read_text(encoding="utf-8").replace("verified offline", "unverified")
    (tmp_path / "oecd.mine.yaml").write_text(text.replace("id: oecd.sbrd", "id: oecd.mine"), encoding="utf-8")
    assert "oecd.mine" in datasets.survey(tmp_path).waiting
    assert "oecd.mine" not in datasets.enabled_ids(tmp_path)
    assert "oecd.mine" in datasets.enabled_ids(tmp_path, lambda dataset: dataset.id == "oecd.mine")


def test_the_line_of_a_field() -> None:
    path = datasets.path_of("oecd.sbrd")
    numbered = path.read_text(encoding="utf-8").splitlines()
    assert 'key: "{entities}.B_XGDP"' in numbered[datasets.line_of(path, "parts", 1, "key") - 1]
    assert "- id: B_XGDP" in numbered[datasets.line_of(path, "parts", 1, "decimals") - 1]  # not written there


@pytest.mark.parametrize("text", ["", "- a\n", "id: [unclosed\n", "\tid: x\n"])
def test_what_is_no_mapping_is_a_mistake_too(text: str, tmp_path: Path) -> None:
    path = tmp_path / "oecd.x.yaml"
    path.write_text(text)
    with pytest.raises(datasets.DatasetFileError):
        datasets.load_file(path)


def test_a_part_overrides_the_thresholds_of_its_dataset() -> None:
    one = datasets.load("oecd.sbrd")
    assert one.checks_of("G_XFA").contiguous is False
    assert one.checks_of("G_XGDP").contiguous is True
    assert one.checks_of("G_XGDP").max_share_withdrawn == one.checks.max_share_withdrawn


def test_a_ratio_names_parts_of_its_own_dataset(tmp_path: Path) -> None:
    text = (datasets.FOLDER / "oecd.sbrd.yaml").read_text(encoding="utf-8")
    one = datasets.load("oecd.sbrd")
    ratios = {part.id: part.ratio.numerator for part in one.parts if part.ratio}
    assert ratios == {"G_XGDP": "G_NC", "B_XGDP": "B_NC", "G_PPP": "G_NC", "B_PPP": "B_NC"}
    path = tmp_path / "oecd.sbrd.yaml"
    path.write_text(
        text.replace("{numerator: G_NC} # GDP", "{numerator: GERD} # GDP").replace("{numerator: B_NC} # GDP", "{} #")
    )
    with pytest.raises(datasets.DatasetFileError) as caught:
        datasets.load_file(path)
    told = "".join(caught.value.mistakes)
    assert "the dataset has no part 'GERD'" in told
    assert "name the numerator, the denominator, or both" in told
    assert len(caught.value.mistakes) == 2


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats()
    | st.sampled_from(["", "x", "{entities}", "a.b", "2020-Q9"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "key", "x"]), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a file, as the keys and indices that lead there."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*above, key)
        yield from places(value[key], (*above, key))


def mistakes(path: Path) -> tuple[str, ...] | None:
    """What is wrong with a file; None when it can be read."""
    try:
        datasets.load_file(path)
    except datasets.DatasetFileError as error:
        return error.mistakes
    return None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_stands_in_a_file_it_is_read_or_told_with_lines(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(
        st.sampled_from(["oecd.gerd", "nbs.papers", "nbs.yearbook_technology_imports", "worldbank.wdi_more"])
    )
    yaml = YAML(typ="safe", pure=True)
    written = yaml.load(datasets.path_of(name))
    for _ in range(data.draw(st.integers(1, 3))):
        *above, last = data.draw(st.sampled_from(list(places(written))))
        inner = reduce(getitem, above, written)
        inner[last] = data.draw(ANYTHING)
    path = tmp_path / f"{name}.yaml"
    yaml.dump(written, path)
    lines = len(path.read_text(encoding="utf-8").splitlines())
    told = mistakes(path)
    assert told != ()
    assert all(1 <= int(mistake.split(":")[0]) <= lines for mistake in told or ())


def test_what_cannot_be_read_is_a_wrong_file_and_the_others_stand(tmp_path: Path) -> None:
    (tmp_path / "oecd.folder.yaml").mkdir()
    (tmp_path / "oecd.circle.yaml").symlink_to(tmp_path / "oecd.circle.yaml")
    (tmp_path / "oecd.population.yml").write_text("id: oecd.population\n")
    found = datasets.survey(tmp_path)
    assert list(found.enabled) == ENABLED
    told = {name: error.mistakes[0] for name, error in found.wrong.items()}
    assert told["oecd.folder"].startswith("1: cannot be read (Is a directory)")
    assert told["oecd.circle"].startswith("1: cannot be read (")
    assert told["oecd.population.yml"].endswith("rename it to oecd.population.yaml")
    with pytest.raises(datasets.DatasetFileError, match="rename it"):
        datasets.load("oecd.population", tmp_path)
