"""The same rows written in every form in which SDMX data come, by nobody's code but this.

Belongs here: writers of messages for property tests and fuzzing. Does not belong here: tests, or anything of the parsers or
the sandbox.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

FLOW = "OECD.STI.STP:DSD_SBRD@DF_SBRD(1.4)"
DSD = "OECD.STI.STP:DSD_SBRD(1.4)"
DIMENSIONS = ("LOCATION", "VAR")
SERIES_ATTRIBUTES = ("UNIT_MULT", "DECIMALS")
FLAGS = ("OBS_STATUS", "OBS_STATUS_2", "CONF_STATUS")
NAMES = {
    "LOCATION": "Reference area",
    "VAR": "Variable",
    "TIME_PERIOD": "Time period",
    "OBS_VALUE": "Observation value",
}
_V21 = "http://www.sdmx.org/resources/sdmxml/schemas/v2_1"
_V30 = "http://www.sdmx.org/resources/sdmxml/schemas/v3_0"


class Row(NamedTuple):
    """One observation: codes of the dimensions, the period, its number's text, flags by name, what its series says."""

    key: tuple[str, ...]
    period: str
    value: str | None
    flags: tuple[str, ...] = ("", "", "")
    series: tuple[str, ...] = ("6", "3")

    def cells(self) -> dict[str, str]:
        """All that the row says by name; what is blank is left out."""
        named = {"TIME_PERIOD": self.period, "OBS_VALUE": self.value or ""}
        named |= dict(
            zip((*DIMENSIONS, *FLAGS, *SERIES_ATTRIBUTES), (*self.key, *self.flags, *self.series), strict=True)
        )
        return {name: text for name, text in named.items() if text}


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows([head, *lines])
    return out.getvalue().encode()


def csv_codes(rows: Sequence[Row]) -> bytes:
    """SDMX-CSV 1: a column DATAFLOW, codes only."""
    names = (*DIMENSIONS, "TIME_PERIOD", "OBS_VALUE", *FLAGS, *SERIES_ATTRIBUTES)
    return _table(("DATAFLOW", *names), ([FLOW, *(row.cells().get(n, "") for n in names)] for row in rows))


def csv_structure(rows: Sequence[Row]) -> bytes:
    """The form with columns STRUCTURE, STRUCTURE_ID, ACTION, and columns in another order."""
    names = (*reversed(DIMENSIONS), "TIME_PERIOD", *SERIES_ATTRIBUTES, "OBS_VALUE", *FLAGS)
    head = ("STRUCTURE", "STRUCTURE_ID", "ACTION", *names)
    return _table(head, (["DATAFLOW", FLOW, "I", *(row.cells().get(n, "") for n in names)] for row in rows))


def csv_labels(rows: Sequence[Row]) -> bytes:
    """csvfilewithlabels: behind every code its label, which may hold commas and quotes, behind the value an empty twin."""
    names = (*DIMENSIONS, "TIME_PERIOD", "OBS_VALUE", *FLAGS, *SERIES_ATTRIBUTES)
    head = ["STRUCTURE", "STRUCTURE_ID", "STRUCTURE_NAME", "ACTION"]
    for name in names:
        head += [name, NAMES.get(name, name.replace("_", " ").capitalize())]
    lines = []
    for row in rows:
        line = ["DATAFLOW", FLOW, 'R&D, "main" indicators', "I"]
        for name in names:
            code = row.cells().get(name, "")
            line += [code, f'The "{code}", so to say' if code and name not in ("TIME_PERIOD", "OBS_VALUE") else ""]
        lines.append(line)
    return _table(head, lines)


def _attributes(cells: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(text)}" for name, text in cells.items())


def _part(row: Row, names: Sequence[str]) -> dict[str, str]:
    return {name: text for name, text in row.cells().items() if name in names}


_OBS = ("TIME_PERIOD", "OBS_VALUE", *FLAGS)
_KEY = (*DIMENSIONS, *SERIES_ATTRIBUTES)


def _runs(rows: Sequence[Row]) -> list[tuple[Row, list[Row]]]:
    """Neighbours of one series; a series whose rows are apart becomes several."""
    return [(run[0], run) for run in (list(group) for _, group in groupby(rows, lambda row: (row.key, row.series)))]


def _specific_series(rows: Sequence[Row], prefix: str = "", on_series: Sequence[str] = _KEY) -> str:
    return "".join(
        f"<{prefix}Series{_attributes(_part(first, on_series))}>"
        + "".join(f"<{prefix}Obs{_attributes(_part(row, _OBS))} />" for row in run)
        + f"</{prefix}Series>"
        for first, run in _runs(rows)
    )


def ml_oecd(rows: Sequence[Row]) -> bytes:
    """SDMX-ML 3.0 as the OECD writes it: no structure in the header, series and observations in a namespace of their own."""
    urn = f"urn:sdmx:org.sdmx.infomodel.datastructure.DataStructure={DSD}:compact"
    return (
        f'<?xml version="1.0" encoding="utf-8"?><!--NSI--><m:StructureSpecificData xmlns:m="{_V30}/message" xmlns:n="{urn}">'
        "<m:Header><m:ID>I</m:ID><m:Test>false</m:Test><m:Prepared>2026-04-13T16:23:54</m:Prepared></m:Header>"
        f'<n:DataSet action="Information">{_specific_series(rows, "n:")}</n:DataSet></m:StructureSpecificData>'
    ).encode()


def _ml21(root: str, body: str, attributes: str = "") -> bytes:
    agency, _, rest = DSD.partition(":")
    ref = f'<Ref agencyID="{agency}" id="{rest.partition("(")[0]}" version="1.4" />'
    return (
        f'<?xml version="1.0" encoding="utf-8"?><message:{root} xmlns:message="{_V21}/message" xmlns:common="{_V21}/common"'
        f' xmlns:generic="{_V21}/data/generic" xmlns:ss="{_V21}/data/structurespecific"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><message:Header><message:ID>I</message:ID>'
        "<message:Test>false</message:Test><message:Prepared>2026-04-13T16:23:54Z</message:Prepared>"
        f'<message:Structure structureID="S"><common:Structure>{ref}</common:Structure></message:Structure></message:Header>'
        f'<message:DataSet action="Replace"{attributes}>{body}</message:DataSet></message:{root}>'
    ).encode()


def ml_specific(rows: Sequence[Row]) -> bytes:
    """SDMX-ML 2.1, structure-specific, by series."""
    return _ml21("StructureSpecificData", _specific_series(rows), ' ss:structureRef="S" xsi:type="ns1:DataSetType"')


def ml_specific_flat(rows: Sequence[Row]) -> bytes:
    """SDMX-ML 2.1, structure-specific, all dimensions at the observation."""
    return _ml21("StructureSpecificData", "".join(f"<Obs{_attributes(row.cells())} />" for row in rows))


def ml_specific_groups(rows: Sequence[Row]) -> bytes:
    """SDMX-ML 2.1, structure-specific, with what a series says stated for a group of it."""
    keys = dict.fromkeys((row.key, row.series) for row in rows)
    groups = "".join(
        f'<Group xsi:type="ns1:Sibling"{_attributes(dict(zip(_KEY, (*key, *series), strict=True)))} />'
        for key, series in keys
    )
    return _ml21("StructureSpecificData", groups + _specific_series(rows, on_series=DIMENSIONS))


def _values(tag: str, cells: dict[str, str]) -> str:
    inner = "".join(f"<generic:Value id={quoteattr(n)} value={quoteattr(t)} />" for n, t in cells.items())
    return f"<generic:{tag}>{inner}</generic:{tag}>" if cells else ""


def _generic_value(row: Row) -> str:
    return f"<generic:ObsValue value={quoteattr(row.value)} />" if row.value else ""


def ml_generic(rows: Sequence[Row]) -> bytes:
    """SDMX-ML 2.1, generic, by series."""
    body = "".join(
        f"<generic:Series>{_values('SeriesKey', _part(first, DIMENSIONS))}"
        + _values("Attributes", _part(first, SERIES_ATTRIBUTES))
        + "".join(
            f"<generic:Obs><generic:ObsDimension value={quoteattr(row.period)} />{_generic_value(row)}"
            f"{_values('Attributes', _part(row, FLAGS))}</generic:Obs>"
            for row in run
        )
        + "</generic:Series>"
        for first, run in _runs(rows)
    )
    return _ml21("GenericData", body)


def ml_generic_flat(rows: Sequence[Row]) -> bytes:
    """SDMX-ML 2.1, generic, all dimensions at the observation."""
    body = "".join(
        f"<generic:Obs>{_values('ObsKey', _part(row, (*DIMENSIONS, 'TIME_PERIOD')))}{_generic_value(row)}"
        f"{_values('Attributes', _part(row, (*FLAGS, *SERIES_ATTRIBUTES)))}</generic:Obs>"
        for row in rows
    )
    return _ml21("GenericData", body)


class _Index:
    """Codes of every component in the order of their first use."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.codes: dict[str, list[str]] = {}
        for name in (*DIMENSIONS, "TIME_PERIOD", *FLAGS, *SERIES_ATTRIBUTES):
            self.codes[name] = list(dict.fromkeys(row.cells()[name] for row in rows if name in row.cells()))

    def of(self, row: Row, names: Sequence[str]) -> list[int | None]:
        """The indices of what a row says, null where it says nothing."""
        cells = row.cells()
        return [self.codes[name].index(cells[name]) if name in cells else None for name in names]

    def key(self, row: Row, names: Sequence[str]) -> str:
        """The indices as the key of an observation or series."""
        return ":".join(str(at) for at in self.of(row, names))

    def described(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """The components with their values."""
        return [
            {"id": n, "name": n, "values": [{"id": c, "name": f"Label of {c}"} for c in self.codes[n]]} for n in names
        ]


def _number(text: str) -> str:
    """A number in JSON that keeps its text: `_dump` takes the marks and the quotes away."""
    return f"#{text}#"


def _dump(answer: Any) -> bytes:
    return re.sub('"#([^"#]*)#"', r"\1", json.dumps(answer, ensure_ascii=False)).encode()


def _json_cells(index: _Index, row: Row, names: Sequence[str]) -> list[Any]:
    return [_number(row.value) if row.value else None, *index.of(row, names)]


def _json_flat(rows: Sequence[Row]) -> tuple[_Index, dict[str, Any]]:
    index, attributes = _Index(rows), (*FLAGS, *SERIES_ATTRIBUTES)
    names = (*DIMENSIONS, "TIME_PERIOD")
    observations = {index.key(row, names): _json_cells(index, row, attributes) for row in rows}
    return index, {"action": "Information", "observations": observations}


def _json_series(rows: Sequence[Row]) -> tuple[_Index, dict[str, Any]]:
    index = _Index(rows)
    series: dict[str, Any] = {}
    for row in rows:
        said = {"attributes": index.of(row, SERIES_ATTRIBUTES), "observations": {}}
        one = series.setdefault(index.key(row, DIMENSIONS), said)
        one["observations"][index.key(row, ("TIME_PERIOD",))] = _json_cells(index, row, FLAGS)
    return index, {"action": "Information", "series": series}


def _described(index: _Index, flat: bool) -> dict[str, Any]:
    at_series, at_observation = ((), DIMENSIONS) if flat else (DIMENSIONS, ())
    of_series, of_observation = ((), (*FLAGS, *SERIES_ATTRIBUTES)) if flat else (SERIES_ATTRIBUTES, FLAGS)
    return {
        "name": "R&D",
        "dimensions": {
            "dataSet": [],
            "series": index.described(at_series),
            "observation": index.described((*at_observation, "TIME_PERIOD")),
        },
        "attributes": {
            "dataSet": [],
            "series": index.described(of_series),
            "observation": index.described(of_observation),
        },
    }


def json_1(rows: Sequence[Row], flat: bool = False) -> bytes:
    """SDMX-JSON 1.0."""
    index, data_set = _json_flat(rows) if flat else _json_series(rows)
    data = {"dataSets": [data_set], "structure": _described(index, flat)}
    return _dump({"meta": {"prepared": "2026-04-13T16:23:54Z"}, "data": data, "errors": []})


def json_2(rows: Sequence[Row], flat: bool = False) -> bytes:
    """SDMX-JSON 2.0."""
    index, data_set = _json_flat(rows) if flat else _json_series(rows)
    described = _described(index, flat) | {"measures": {"observation": [{"id": "OBS_VALUE"}]}, "dataSets": [0]}
    data = {"dataSets": [{"structure": 0} | data_set], "structures": [described]}
    return _dump({"meta": {"prepared": "2026-04-13T16:23:54Z"}, "data": data, "errors": []})


def json_2_groups(rows: Sequence[Row]) -> bytes:
    """SDMX-JSON 2.0 with what a series says stated for a group of dimensions."""
    index, data_set = _json_flat(rows)
    described = _described(index, flat=True)
    described["attributes"] = {
        "dimensionGroup": index.described(SERIES_ATTRIBUTES),
        "observation": index.described(FLAGS),
    }
    groups = {index.key(row, DIMENSIONS) + ":": index.of(row, SERIES_ATTRIBUTES) for row in rows}
    names = (*DIMENSIONS, "TIME_PERIOD")
    observations = {index.key(row, names): _json_cells(index, row, FLAGS) for row in rows}
    one = data_set | {"observations": observations, "dimensionGroupAttributes": groups}
    return _dump({"data": {"dataSets": [one], "structures": [described]}})


def json_old(rows: Sequence[Row]) -> bytes:
    """The form of the API that was switched off in 2024: no `data` around it, no place for an attribute never used."""
    index, data_set = _json_flat(rows)
    attributes = [name for name in (*FLAGS, *SERIES_ATTRIBUTES) if index.codes[name]]
    names = (*DIMENSIONS, "TIME_PERIOD")
    data_set["observations"] = {index.key(row, names): _json_cells(index, row, attributes) for row in rows}
    header = {"prepared": "2021-06-19T14:06:41.689336Z"}
    return _dump({"header": header, "dataSets": [data_set], "structure": _described(index, flat=True)})


def csv_old(rows: Sequence[Row]) -> bytes:
    """A table of stats.oecd.org: labels, its own names of columns, one flag."""
    head = ("LOCATION", "Country", "VAR", "Variable", "TIME", "Time", "PowerCode.Code", "PowerCode", "Value")
    lines = (
        [
            *(x for code in row.key for x in (code, f"Label of {code}")),
            *(row.period, row.period, row.series[0], "Millions", row.value or "", row.flags[0]),
            *(f"Flag {row.flags[0]}" if row.flags[0] else "", row.series[1]),
        ]
        for row in rows
    )
    return _table((*head, "Flag.Codes", "Flags", "DECIMALS"), lines)


#: All forms that can say everything that a row can; in those by key (JSON) a row cannot stand twice.
BY_ROW: dict[str, Callable[[Sequence[Row]], bytes]] = {
    writer.__name__: writer
    for writer in (
        *(csv_codes, csv_structure, csv_labels, ml_oecd, ml_specific, ml_specific_flat, ml_specific_groups),
        *(ml_generic, ml_generic_flat),
    )
}
BY_KEY: dict[str, Callable[[Sequence[Row]], bytes]] = {
    "json_1": json_1,
    "json_1_flat": lambda rows: json_1(rows, flat=True),
    "json_2": json_2,
    "json_2_flat": lambda rows: json_2(rows, flat=True),
    "json_2_groups": json_2_groups,
    "json_old": json_old,
}
