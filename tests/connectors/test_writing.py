"""How numbers and absences may be written: each provider's own way, and nothing else; and the reasons for what is skipped."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.assemble import Parsed, Writing, part_data, table_of
from connectors.errors import UnexpectedPayload
from connectors.skipped import Skip, reason_of, records
from tests.connectors import fuzz_targets, fuzzing, specimens
from tests.connectors import wire_sdmx as sdmx
from tests.connectors import wire_tables as tables
from warehouse.schema import PartData

PARTS: dict[str, Callable[[str], PartData]] = {}


def _of(provider: str) -> Callable[[Callable[[str], PartData]], Callable[[str], PartData]]:
    def keep(read: Callable[[str], PartData]) -> Callable[[str], PartData]:
        PARTS[provider] = read
        return read

    return keep


@_of("oecd")
def _oecd(written: str) -> PartData:
    rows = [sdmx.Row(("KOR", "G_PPP"), "2017", written), sdmx.Row(("KOR", "G_PPP"), "2018", "1")]
    return fuzz_targets._oecd(sdmx.csv_codes(rows))


@_of("worldbank")
def _worldbank(written: str) -> PartData:
    cells = [
        tables.Cell("KOR", "2017", f'"{written}"'),
        tables.Cell("KOR", "2018", "1"),
        tables.Cell("KOR", "2016", "1"),
    ]
    return fuzz_targets._worldbank(fuzz_targets.DATA_URL)(tables.page(cells, 1, 20, {}))


@_of("nbs")
def _nbs(written: str) -> PartData:
    figures = {(1, "2016"): "1", (1, "2017"): written, (1, "2018"): "1"}
    return fuzz_targets._portal(tables.portal(figures, sorted(figures)))


#: What a text means: a number, None (said to be missing), or an error; for the OECD, the World Bank and the NBS.
REFUSED = UnexpectedPayload
WRITINGS: dict[str, tuple[object, object, object]] = {
    "5": (5.0, 5.0, 5.0),
    "-5.25": (-5.25, -5.25, -5.25),
    "0.10": (0.1, 0.1, 0.1),
    "1e5": (1e5, 1e5, REFUSED),
    "1E-05": (1e-5, 1e-5, REFUSED),
    "+5": (5.0, REFUSED, REFUSED),
    ".5": (0.5, REFUSED, REFUSED),
    "05": (5.0, REFUSED, 5.0),
    "": (None, REFUSED, None),
    "NaN": (None, REFUSED, REFUSED),
    "无": (REFUSED, REFUSED, None),
    **dict.fromkeys(
        (
            "nan",
            "Infinity",
            "-Infinity",
            "INF",
            "inf",
            "1e999",
            "1,234",
            "−5",
            "5 ",
            "5\u00a0",
            " 5",
            "..",
            "…",
            "-",
            "x",
        ),
        (REFUSED, REFUSED, REFUSED),
    ),
    **dict.fromkeys((":", "NA", "0x10", "5.5.5", "5e", "1_000", "٥", "５", "5%", "(5)", "5*", "null"), (REFUSED,) * 3),
}


@pytest.mark.parametrize("written", WRITINGS)
@pytest.mark.parametrize(
    ("at", "provider"), [pytest.param(n, p, marks=getattr(pytest.mark, p)) for n, p in enumerate(PARTS)]
)
def test_a_number_is_written_in_the_providers_own_way_or_refused(at: int, provider: str, written: str) -> None:
    meant = WRITINGS[written][at]
    if meant is REFUSED:
        with pytest.raises(UnexpectedPayload, match="not a number"):
            PARTS[provider](written)
        return
    (found,) = (row for row in PARTS[provider](written).observations.to_pylist() if row["period"] == "2017")
    assert found["value"] == meant
    assert (found["value_text"] or "") == written


@pytest.mark.worldbank
def test_namibia_is_an_economy_under_all_its_codes() -> None:
    for style in ("both", "iso2", "iso3"):
        page = tables.page([tables.Cell("NAM", "2017", "0.3")], 1, 20, {"NAM": style})
        data = fuzz_targets._worldbank(fuzz_targets.DATA_URL, "NAM")(page)
        assert data.series.column("entity").to_pylist() == ["NAM"]
        assert data.series.column("notes").to_pylist() == [None]


@pytest.mark.parametrize("provider", PARTS)
def test_a_byte_order_mark_changes_nothing(monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    plain = PARTS[provider]("5")
    original = specimens.payload
    monkeypatch.setattr(specimens, "payload", lambda c, *rest, **more: original(b"\xef\xbb\xbf" + c, *rest, **more))
    assert PARTS[provider]("5").canonical_hash == plain.canonical_hash


@pytest.mark.parametrize(
    "period", ["２０１７", "٢٠١٧", "2017-05", "2017-Q1", "2017-13", "17", "", "2017 ", "0000", "+2017", "1e3"]
)
def test_a_period_of_another_form_or_frequency_is_refused(period: str) -> None:
    for content, name in (
        (sdmx.csv_codes([sdmx.Row(("KOR", "G_PPP"), period, "1")]), "SDMX-CSV"),
        (tables.page([tables.Cell("KOR", period, "1")], 1, 20, {}), "World Bank page"),
        (tables.portal({(1, period): "1"}, [(1, period)]), "NBS values"),
    ):
        (target,) = (one for one in fuzz_targets.targets() if one.name == name)
        assert fuzzing.check(target, content) == "UnexpectedPayload"


def test_every_reason_for_skipping_is_one_of_the_list_and_explained() -> None:
    assert Skip.__doc__ is not None
    explained = set(re.findall(r"\b[A-Z_]{5,}\b", Skip.__doc__))
    assert explained == set(Skip.__members__)
    assert reason_of(Skip.ABSENT.naming(["KOR", "JPN"])) is Skip.ABSENT
    assert records({Skip.REPEATED: 2, Skip.ABSENT.naming(["KOR"]): 1}) == 2
    with pytest.raises(ValueError, match="not a valid Skip"):
        records({"because": 1})


def test_no_parser_has_a_reason_of_its_own() -> None:
    """`part_data` counts by reason and refuses others; here: every reason is used, and none is written out in words."""
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (Path(__file__).parents[2] / "connectors").rglob("*.py")
        if path.name != "skipped.py" and "sandbox" not in path.parts
    )
    assert {name for name in Skip.__members__ if f"Skip.{name}" not in source} == set()
    assert not [reason for reason in Skip if f'"{reason}' in source]


def test_a_record_that_is_nowhere_is_an_error_of_the_reader() -> None:
    fetched = specimens.fetched("G_PPP", specimens.payload(b""))
    cells = [("KOR.G_PPP", "2017", "1", ""), ("KOR.G_PPP", "2018", "1,234", ""), ("KOR.G_PPP", "2018", "1,234", "")]
    writing = Writing(number=r"[0-9]{1,3}(,[0-9]{3})*", thousands=",")
    series: list[dict[str, Any]] = [
        {"series_key": "KOR.G_PPP", "part": "G_PPP", "label": "x", "entity": "KOR", "dimensions": "{}"}
    ]
    series[0] |= {"unit": "x", "multiplier": 0, "frequency": "A"}
    data = part_data(fetched, Parsed(table_of(cells), series, 5, {Skip.BLANK: 2}), "A", writing)
    assert data.observations.column("value").to_pylist() == [1.0, 1234.0]
    assert data.skipped == {Skip.BLANK: 2, Skip.REPEATED: 1}
    with pytest.raises(UnexpectedPayload, match="holds 6 records, and 5 are accounted for"):
        part_data(fetched, Parsed(table_of(cells), series, 6, {Skip.BLANK: 2}), "A", writing)
