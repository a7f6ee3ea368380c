"""The same content gives the same observations, the same hash and the same skips, whatever form, order or pieces it came in.

The wire forms are written here (wire_sdmx.py, wire_tables.py), by neither the parsers' nor the sandbox's code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import datasets
from connectors.contract import Ask
from connectors.errors import Moved, UnexpectedPayload
from connectors.http.transport import Transport
from connectors.nbs import classic as nbs_classic
from connectors.nbs import connector as nbs
from connectors.oecd import connector as oecd
from connectors.skipped import Skip, records
from connectors.worldbank import connector as worldbank
from tests.connectors import specimens
from tests.connectors import wire_sdmx as wire
from tests.connectors import wire_tables as tables
from tests.connectors.wire_sdmx import Row
from warehouse.schema import PartData, Scope

SBRD = datasets.load("oecd.sbrd")
VAR = "G_PPP"
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
#: Asked for; asked for as well; somebody else.
ECONOMIES = ("KOR", "JPN", "EU27_2020", "BRA")
YEARS = ("1980", "1981", "2017", "2018", "2999")
NUMBERS = st.sampled_from(("4.27154", "-2.10", "0", "0.0", "85.70", "1e-05", "123456789.123456789"))

cells = st.fixed_dictionaries(
    {},
    optional={
        (economy, year): st.tuples(
            st.none() | NUMBERS,
            st.tuples(*(st.sampled_from(("", *codes)) for codes in (("A", "E"), ("D",), ("F", "C")))),
        )
        for economy in ECONOMIES
        for year in YEARS
    },
).filter(lambda found: any(economy != "BRA" and year in ("1981", "2017", "2018") for economy, year in found))


@st.composite
def contents(draw: st.DrawFn) -> list[Row]:
    """Rows in any order: of one variable, each place once, with what each series says."""
    said = {economy: (draw(st.sampled_from("36")), draw(st.sampled_from(("", "1")))) for economy in ECONOMIES}
    found = draw(cells).items()
    rows = [Row((economy, VAR), year, value, flags, said[economy]) for (economy, year), (value, flags) in found]
    return draw(st.permutations(rows))


def _parse(*messages: bytes, scope: Scope | None = None) -> PartData:
    payloads = [specimens.payload(message) for message in messages]
    return oecd.CONNECTOR.parse(SBRD, specimens.fetched(VAR, *payloads, scope=scope or Scope()))


def _same(one: PartData, other: PartData) -> None:
    assert other.observations.to_pylist() == one.observations.to_pylist()
    assert other.series.to_pylist() == one.series.to_pylist()
    assert other.canonical_hash == one.canonical_hash
    assert other.skipped == one.skipped


def _expected(rows: Sequence[Row]) -> dict[tuple[str, str], str | None]:
    asked = set(SBRD.entities)
    return {
        (f"{row.key[0]}.{VAR}", row.period): row.value
        for row in rows
        if row.key[0] in asked and "1981" <= row.period < "2999"
    }


@pytest.mark.oecd
@pytest.mark.parametrize("form", [*wire.BY_ROW, *wire.BY_KEY])
@QUICK
@given(rows=contents())
def test_every_form_of_sdmx_says_the_same(form: str, rows: list[Row]) -> None:
    plain = _parse(wire.csv_codes(rows))
    found = {(one["series_key"], one["period"]): one["value_text"] for one in plain.observations.to_pylist()}
    assert found == _expected(rows)
    assert len(found) + records(plain.skipped) == len(rows)
    _same(plain, _parse((wire.BY_ROW | wire.BY_KEY)[form](rows)))


@pytest.mark.oecd
@QUICK
@given(rows=contents())
def test_the_tables_of_the_old_api_say_the_same_but_for_further_flags(rows: list[Row]) -> None:
    rows = [row._replace(flags=(row.flags[0], "", "")) for row in rows]
    _same(_parse(wire.csv_codes(rows)), _parse(wire.csv_old(rows)))


@pytest.mark.oecd
@QUICK
@given(rows=contents(), data=st.data())
def test_any_order_of_rows_and_any_pieces_in_any_order_are_the_same(rows: list[Row], data: st.DataObject) -> None:
    whole = _parse(wire.csv_codes(rows))
    shuffled = data.draw(st.permutations(rows))
    _same(whole, _parse(wire.csv_codes(shuffled)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    pieces = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    _same(whole, _parse(*(wire.csv_codes(piece) for piece in pieces)))


@pytest.mark.oecd
@QUICK
@given(rows=contents(), form=st.sampled_from(sorted(wire.BY_ROW)), data=st.data())
def test_a_row_said_twice_is_counted_and_one_that_contradicts_is_refused(
    rows: list[Row], form: str, data: st.DataObject
) -> None:
    kept = [row for row in rows if (f"{row.key[0]}.{VAR}", row.period) in _expected(rows)]
    again = data.draw(st.lists(st.sampled_from(kept), min_size=1, max_size=4))
    plain, twice = _parse(wire.csv_codes(rows)), _parse(wire.BY_ROW[form]([*rows, *again]))
    assert twice.canonical_hash == plain.canonical_hash
    assert twice.skipped == plain.skipped | {Skip.REPEATED: len(again)}
    other = again[0]._replace(value="7.5")
    with pytest.raises(UnexpectedPayload, match="contradicts itself"):
        _parse(wire.BY_ROW[form](data.draw(st.permutations([*rows, other]))))


WDI = datasets.load("worldbank.wdi")
ASKED = ("KOR", "JPN", "EMU", "NAM")
WB_YEARS = ("1995", "2015", "2016", "2017", "2018")


@st.composite
def pages(draw: st.DrawFn) -> list[tables.Cell]:
    """Cells of economies that were asked for, in any order; at least one has a value."""
    places = draw(st.sets(st.sampled_from([(code, year) for code in ASKED for year in WB_YEARS]), min_size=1))
    found = [tables.Cell(*place, draw(st.none() | NUMBERS), draw(st.sampled_from(("", "E")))) for place in places]
    return draw(st.permutations([tables.Cell("KOR", "2014", "4.07"), *found]))


def _fetched(
    cells: Sequence[tables.Cell], styles: dict[str, str], size: int, longest: int, version: str = ""
) -> PartData:
    """What comes of asking for those cells with pages of a size and so many characters of economies in a request."""
    scope = Scope(entities=ASKED)
    ask = Ask((tables.INDICATOR,), scope, (version,) if version else ())
    answers = tables.Pages(cells, styles, version)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("connectors.worldbank.connector.PER_PAGE", str(size))
        patch.setattr("connectors.worldbank.connector.MAX_CODES", longest)
        (part,) = worldbank.CONNECTOR.fetch(WDI, ask, cast(Transport, answers)).parts
    if part.error:
        raise part.error
    return worldbank.CONNECTOR.parse(WDI, part)


@pytest.mark.worldbank
@QUICK
@given(
    cells=pages(),
    data=st.data(),
    size=st.integers(1, 9),
    longest=st.sampled_from((3, 7, 11, 1400)),
    styles=st.dictionaries(st.sampled_from(ASKED), st.sampled_from(("both", "iso3", "iso2"))),
)
def test_any_pages_requests_order_and_codes_of_the_world_bank_are_the_same(
    cells: list[tables.Cell], data: st.DataObject, size: int, longest: int, styles: dict[str, str]
) -> None:
    whole = _fetched(cells, {}, 20000, 1400)
    found = {(one["series_key"][:3], one["period"]): one["value_text"] for one in whole.observations.to_pylist()}
    assert found.items() <= {(cell.code, cell.year): cell.value for cell in cells}.items()
    assert len(found) + records(whole.skipped) == len(cells)
    assert all(cell.value is None and not cell.status for cell in cells if (cell.code, cell.year) not in found)
    _same(whole, _fetched(data.draw(st.permutations(cells)), styles, size, longest))


@pytest.mark.worldbank
@QUICK
@given(cells=pages(), size=st.integers(1, 9), longest=st.sampled_from((3, 1400)))
def test_the_archive_of_the_world_bank_says_the_same(cells: list[tables.Cell], size: int, longest: int) -> None:
    plain = [cell._replace(status="") for cell in cells]
    _same(_fetched(plain, {}, 20000, 1400), _fetched(plain, {}, size, longest, "202107"))


@pytest.mark.worldbank
@QUICK
@given(cells=pages(), data=st.data())
def test_a_row_of_the_world_bank_said_twice_is_counted_on_one_page_and_refused_on_two(
    cells: list[tables.Cell], data: st.DataObject
) -> None:
    again = data.draw(st.sampled_from([cell for cell in cells if cell.value]))
    plain, twice = _fetched(cells, {}, 20000, 1400), _fetched([again, *cells], {}, 20000, 1400)
    assert twice.canonical_hash == plain.canonical_hash
    assert twice.skipped == plain.skipped | {Skip.REPEATED: 1}
    with pytest.raises(UnexpectedPayload, match="contradicts itself"):
        _fetched([*cells, again._replace(value="7.5")], {}, 20000, 1400)
    with pytest.raises(Moved):
        _fetched([again, *cells], {}, 1, 1400)


TECH = datasets.load("nbs.science_technology")
FIGURES = st.dictionaries(
    st.tuples(st.sampled_from(sorted(tables.INDICATORS)), st.sampled_from(("2019", "2020", "2021", "2022"))),
    st.sampled_from(("", "0", "12", "61475.60", "-0.5")),
    min_size=1,
).filter(lambda figures: any(figures.values()))


def _portal(*answers: bytes) -> PartData:
    payloads = [specimens.payload(content) for content in (tables.listing(), *answers)]
    return nbs.CONNECTOR.parse(TECH, specimens.fetched("overview", *payloads))


def _named(data: PartData) -> dict[tuple[str, str, str], str]:
    series = {one["series_key"]: (one["label"], one["unit"]) for one in data.series.to_pylist()}
    return {
        (*series[one["series_key"]], one["period"]): one["value_text"]
        for one in data.observations.to_pylist()
        if one["value_text"]
    }


@pytest.mark.nbs
@QUICK
@given(figures=FIGURES, data=st.data())
def test_any_order_and_any_pieces_of_the_portal_are_the_same(figures: tables.Figures, data: st.DataObject) -> None:
    whole = _portal(tables.portal(figures, sorted(figures)))
    assert whole.observations.num_rows + records(whole.skipped) == len(figures)
    order = data.draw(st.permutations(sorted(figures)))
    _same(whole, _portal(tables.portal(figures, order, split=data.draw(st.booleans()))))
    cut = data.draw(st.integers(0, len(order)))
    _same(whole, _portal(tables.portal(figures, order[:cut]), tables.portal(figures, order[cut:])))
    again = data.draw(st.sampled_from([at for at in order if figures[at]]))
    twice = _portal(tables.portal(figures, [*order, again]))
    assert twice.canonical_hash == whole.canonical_hash
    assert twice.skipped == whole.skipped | {Skip.REPEATED: 1}
    with pytest.raises(UnexpectedPayload, match="contradicts itself"):
        _portal(tables.portal(figures, order), tables.portal({again: "7.5"}, [again]))


@pytest.mark.nbs
@QUICK
@given(figures=FIGURES, data=st.data())
def test_the_older_forms_of_the_nbs_say_the_same(figures: tables.Figures, data: st.DataObject) -> None:
    order = data.draw(st.permutations(sorted(figures)))
    stated = _named(_portal(tables.portal(figures, order)))
    parsed = nbs_classic.read_query(tables.classic(figures, order))
    assert parsed.records == len(figures) == parsed.observations.num_rows
    names = {one["series_key"]: (one["label"], one["unit"]) for one in parsed.series}
    rows = parsed.observations.to_pylist()
    assert {(*names[r["series_key"]], r["period"]): r["value_text"] for r in rows if r["value_text"]} == stated
    for form in tables.NBS_TABLES.values():
        export = nbs_classic.read_export(form(figures, order))
        assert {at: text for at, text in export.values.items() if text} == stated
