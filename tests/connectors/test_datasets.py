"""Dataset files: the ones we ship, and that a wrong one is told all its mistakes at once, each with its line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from connectors import datasets
from warehouse.errors import UsageError

SHIPPED = ["nbs.fdi_by_country", "nbs.science_technology", "oecd.pct_cooperation", "oecd.sbrd", "worldbank.wdi"]


def test_all_shipped_files_load() -> None:
    found = datasets.load_all()
    assert list(found) == SHIPPED
    for one in found.values():
        assert one.title_zh
        assert one.licence.url.startswith("https://")
        assert len(one.dimensions) == len(set(one.dimensions))
        required = set(one.checks.entities_required or ())
        assert required <= set(one.entities)


@pytest.mark.oecd
def test_oecd_keys_have_a_segment_for_each_dimension() -> None:
    for name in ("oecd.sbrd", "oecd.pct_cooperation"):
        one = datasets.load(name)
        for part in one.parts:
            segments = part.key.split(".")
            assert len(segments) == len(one.dimensions)
            assert segments[one.dimensions.index(one.entity_dimension)] == "{entities}"


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
    assert datasets.file_sha256("oecd.x", tmp_path) == hashlib.sha256(b"id: oecd.x\n").hexdigest()
    assert datasets.known_ids(tmp_path) == ["oecd.x"]


def test_all_mistakes_at_once_with_their_lines(tmp_path: Path) -> None:
    text = (datasets.FOLDER / "oecd.sbrd.yaml").read_text(encoding="utf-8")
    lines = text.replace('start: "1981"', "start: 1981\nstrat: 1").replace("Europe/Paris", "Europe/Pariss", 1)
    lines = lines.replace("kind: share", "kind: part", 1).replace("JPN, KOR,", "JPN, JPN,", 1)
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
