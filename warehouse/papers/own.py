"""A paper of one's own as a spreadsheet: one row a claim, read as the fields that a paper's YAML file would have.

Belongs here: column heads in English or Chinese, and what stands below them. Does not belong here: what Excel shows of a cell
(own_cells), which words there are (own_words), what is wrong with a field once it is understood (model, entries), templates.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from warehouse import clock
from warehouse.errors import UsageError
from warehouse.papers import economies, own_cells
from warehouse.papers.model import Definition, Group, Measure, Unit
from warehouse.papers.own_cells import Text
from warehouse.papers.own_words import called, index, near, plain, split, synonyms
from warehouse.yaml_lines import Mistake, Mistaken, Where

#: A row with so many known heads is the row of heads.
_ENOUGH = 3
#: Commas part thousands, and nothing else.
_NUMBER = r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_TO = r"\s*(?:-|–|——?|~|〜|(?:\.{3}){1,2}|至|到|to)\s*"
_RANGE = re.compile(f"({_NUMBER}){_TO}({_NUMBER})")
_WITHIN = re.compile(rf"([^\d.,-]*)({_NUMBER}(?:{_TO}{_NUMBER})?)([^\d.,-]*)")
_YEARS = re.compile(rf"(\d{{4}}){_TO}(\d{{4}})")
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_PUBLIC = {"是": True, "否": False, "yes": True, "no": False, "true": True, "false": False}
#: Senses without a number of their own.
_NUMBERLESS = ("rank", "direction", "event")


class Known(NamedTuple):
    """What a catalogue knows by id, which is what a row may name."""

    measures: Mapping[str, Measure]
    definitions: Mapping[str, Definition]
    units: Mapping[str, Unit]
    groups: Mapping[str, Group]


@dataclass
class Sheet:
    """A spreadsheet as the fields of a paper; `at` is the cell of each field, `taken` says how words were understood."""

    fields: dict[str, Any]
    at: dict[Where, str]
    heads: dict[str, str] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    mistakes: list[tuple[str, str]] = field(default_factory=list)

    def put(self, where: Where, cell: Text, value: Any) -> None:
        """Set a field, making the mappings on the way."""
        inner: Any = self.fields
        for step in where[:-1]:
            inner = inner[step] if isinstance(step, int) else inner.setdefault(step, {})
        inner[where[-1]] = value
        self.at[where] = cell.place
        self.at.setdefault(where[:-1], cell.place)

    def wrong(self, cell: Text, what: str) -> None:
        """Note a mistake."""
        self.mistakes.append((cell.place, what))

    def head(self, name: str) -> str:
        """A column as its author calls it, or as a template does."""
        return self.heads.get(name) or called(synonyms().columns[name])

    def in_cells(self, found: Iterable[Mistake]) -> list[Mistake]:
        """Mistakes of a reading, which no column holds, where the columns are that made it."""
        return [(self._column(where), what) for where, what in found]

    def _column(self, where: Where) -> Where:
        column = {"use": "formula"}.get(str(where[4]), str(where[4])) if len(where) > 4 else ""
        return (*where[:2], column) if (*where[:2], column) in self.at else where


def fields(path: Path, known: Known) -> Sheet:
    """The fields of a paper kept in an XLSX (its first sheet) or CSV file: what the paper is above, one row a claim below.

    Raises Mistaken with every cell that cannot be understood, "C7: what".
    """
    rows = own_cells.read(path)
    sheet = Sheet({"id": path.stem, "claims": []}, {(): "A1"})
    columns, below = _heads(rows, sheet)
    _about(rows[: len(rows) - len(below) - 1], sheet)
    if not re.fullmatch("[a-z0-9]+", str(sheet.fields["id"])):
        what = f"{sheet.fields['id']!r} is no id of a paper: name the file with small letters and digits, such as mine.xlsx"
        sheet.mistakes.append((sheet.at.get(("id",), "A1"), what))
    for row in below:
        if any(cell.text for cell in row):
            _claim({name: row[place]._replace(head=sheet.heads[name]) for place, name in columns.items()}, sheet, known)
    if sheet.mistakes:
        told = sorted(dict.fromkeys(sheet.mistakes), key=lambda mistake: _order(mistake[0]))
        raise Mistaken(f"{place}: {what}" for place, what in told)
    return sheet


def _order(place: str) -> tuple[int, int, str]:
    """Row by row, each from the left."""
    column, row = re.findall(r"[A-Z]+|\d+", place)[:2]
    return int(row), len(column), column


def _heads(rows: Sequence[Sequence[Text]], sheet: Sheet) -> tuple[dict[int, str], Sequence[Sequence[Text]]]:
    """Which column holds what, and the rows below the heads."""
    words = index(synonyms().columns)
    for number, row in enumerate(rows):
        named = {place: words[plain(cell.text)] for place, cell in enumerate(row) if plain(cell.text) in words}
        if len(named) < _ENOUGH:
            continue
        for place, cell in enumerate(row):
            if cell.text and place not in named:
                sheet.wrong(cell, f"unknown column {cell.text!r}{near(cell.text, words)}")
        for name in {name for name in named.values() if list(named.values()).count(name) > 1}:
            sheet.wrong(row[0], f"two columns say {sheet.head(name)}")
        missing = [name for name in ("says", "period", "printed", "unit") if name not in named.values()]
        if missing:
            sheet.wrong(row[0], f"there is no column for {', '.join(map(sheet.head, missing))}")
        sheet.heads = {name: row[place].text for place, name in named.items()}
        return named, rows[number + 1 :]
    heads = "编号 句子 经济体 年份 数值 单位 指标, or: id says economies year value unit measure"
    raise Mistaken([f"A1: no row of column heads such as {heads}"])


def _about(rows: Iterable[Sequence[Text]], sheet: Sheet) -> None:
    """The rows above the heads: a label and its value."""
    words = index(synonyms().paper)
    labels = set()
    for row in rows:
        label, *rest = [cell for cell in row if cell.text] or [Text("", "")]
        name = words.get(plain(label.text.rstrip(":：")))
        if not label.text:
            continue
        if name is None:
            sheet.wrong(label, f"unknown label {label.text!r}{near(label.text, words)}")
            continue
        labels.add(name)
        if not rest:
            sheet.wrong(label, f"{label.text}: the value is missing in the cell beside it")
        elif rest[0].wrong:
            sheet.wrong(rest[0]._replace(head=label.text), rest[0].wrong)
        else:
            _told(name, [cell._replace(head=label.text) for cell in rest], sheet)
    for name in ("title", "year", "earliest", "latest"):
        if name not in labels:
            what = f"above the column heads no line says {called(synonyms().paper[name])}, with its value beside it"
            sheet.mistakes.append(("A1", what))
    if "cutoff" in sheet.fields:
        sheet.fields["cutoff"].setdefault("evidence", {"en": "as the author states", "zh": "据作者说明"})


def _told(name: str, cells: Sequence[Text], sheet: Sheet) -> None:
    """One thing that is said of the paper."""
    cell, text = cells[0], unicodedata.normalize("NFKC", cells[0].text)
    if name in ("earliest", "latest"):
        sheet.put(("cutoff", name), cell, _day(text))
        if _day(text) is None:
            sheet.wrong(cell, f"{cell.text!r} is no day: write it as 2021-12-31")
    elif name == "evidence":
        sheet.put(("cutoff", name), cell, cell.text)
    elif name == "authors":
        sheet.put((name,), cell, [text for cell in cells for text in split(cell.text)])
    elif name == "public":
        sheet.put((name,), cell, _PUBLIC.get(plain(text)))
        if plain(text) not in _PUBLIC:
            sheet.wrong(cell, f"{cell.text!r} is neither yes nor no (是, 否)")
    elif name == "year":
        sheet.put((name,), cell, text.removesuffix("年").strip())
        if not re.fullmatch(r"\d{4}\s*年?", text):
            sheet.wrong(cell, f"{cell.text!r} is no year: write it as 2021")
    else:
        sheet.put((name,), cell, cell.text)


def _day(text: str) -> date | None:
    found = _DAY.fullmatch(text)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _claim(cells: Mapping[str, Text], sheet: Sheet, known: Known) -> None:
    """One row as a statement."""
    place = len(sheet.fields["claims"])
    sheet.fields["claims"].append({"kind": "level", "sense": "equals"})
    for cell in cells.values():
        if cell.wrong:
            sheet.wrong(cell, cell.wrong)
    given = {name: cell for name, cell in cells.items() if cell.text and not cell.wrong}
    first = next((cell for cell in cells.values() if cell.text), next(iter(cells.values())))
    sheet.at["claims", place] = cells.get("printed", first).place
    sheet.at |= {("claims", place, name): cell.place for name, cell in cells.items()}

    def put(name: str, cell: Text, value: Any) -> None:
        sheet.put(("claims", place, name), cell, value)

    number = given.get("id", first._replace(text=f"c{place + 1:03}"))
    paper = str(sheet.fields["id"])
    if not re.fullmatch(r"[a-z0-9-]+", number.text.lower()):
        sheet.wrong(number, f"{number.text!r} is no id: write letters, digits and hyphens, such as c001")
    put("id", number, number.text if number.text.startswith(f"{paper}-") else f"{paper}-{number.text.lower()}")
    for name in ("says", "note"):
        if name in given:
            put(name, given[name], given[name].text)
    if "source" in given:
        put("source", given["source"], given["source"].text)
        put("source_basis", given["source"], "named")
    for name in ("entities", "partners"):
        if name in given:
            put(name, given[name], [_economy(text, given[name], sheet, known) for text in split(given[name].text)])
    if "sense" in given:
        put("sense", given["sense"], _one(given["sense"], index(synonyms().senses), "wording", sheet))
    _required(cells, str(sheet.fields["claims"][place]["sense"]), sheet)
    if "period" in given:
        _period(given["period"], place, sheet, computed="measure" in given)
    if "printed" in given:
        _printed(given["printed"], place, sheet)
    answers = _readings(given, place, sheet, known)
    if "unit" in given:
        _unit(given["unit"], answers, place, sheet, known)


def _required(cells: Mapping[str, Text], sense: str, sheet: Sheet) -> None:
    """What no claim is without, and is empty."""
    needed = {
        "says": "the statement in your words",
        "period": "such as 2017, or 2014-2017",
        "unit": "what the number counts, such as % or 亿美元",
        "printed": "the number as printed",
    }
    for name, what in needed.items():
        if name in cells and cells[name][1:3] == ("", "") and not (name == "printed" and sense in _NUMBERLESS):
            sheet.wrong(cells[name], f"empty: {what}")


def _period(cell: Text, place: int, sheet: Sheet, *, computed: bool) -> None:
    """A year, month, quarter or span; only what is computed must be one."""
    text = unicodedata.normalize("NFKC", cell.text)
    period = _YEARS.sub(r"\1:\2", text.replace("年", "").strip())
    try:
        clock.parse_periods(period)
    except UsageError:
        if computed:
            sheet.wrong(cell, f"{cell.text!r} is no period: write 2017, 2014-2017, 2017-05 or 2017-Q3")
        period = cell.text
    sheet.put(("claims", place, "period"), cell, period)


def _printed(cell: Text, place: int, sheet: Sheet) -> None:
    """The number as printed; two with a dash or 至 between them are a range."""
    claim = sheet.fields["claims"][place]
    text = unicodedata.normalize("NFKC", cell.text).replace("−", "-").strip()
    both = _RANGE.fullmatch(text)
    if both is None and not re.fullmatch(_NUMBER, text):
        sheet.wrong(cell, _no_number(cell.text, text, sheet))
        return
    numbers = [one.replace(",", "") for one in (both.groups() if both else (text,))]
    sheet.put(("claims", place, "printed"), cell, numbers if both else numbers[0])
    if both:
        claim["sense"] = "between"
    told = f"{cell.address} {cell.text}: {claim['sense']} {' and '.join(numbers)}"
    sheet.taken.append(", ".join([told, cell.note] if cell.note else [told]))


def _no_number(written: str, text: str, sheet: Sheet) -> str:
    """Why a value is no number, and where its other parts belong."""
    if "," in text and not re.fullmatch(_NUMBER, re.sub(r"[^\d.,-]", "", text)):
        return f"{written!r} has a comma: decimal or thousands? write 4.6, or 14,249,025"
    found = _WITHIN.fullmatch(text)
    if found is None:
        return f"{written!r} is no number as it is printed, such as 4.60, 1,234 or 10-15"
    wordings = index(synonyms().senses)
    parts = {"sense": [found[1].strip()], "unit": []}
    parts["sense" if plain(found[3]) in wordings else "unit"].append(found[3].strip())
    where = [
        f"{' and '.join(filter(None, said))} into the column {sheet.head(name)}"
        for name, said in parts.items()
        if any(said)
    ]
    return f"{written!r} says more than a number: put {', '.join(where)}"


def _readings(given: Mapping[str, Text], place: int, sheet: Sheet, known: Known) -> set[str]:
    """The measures of the row as readings, tried in order; returns the units in which they would answer."""
    cell = given.get("measure")
    if cell is None:
        return set()
    by_name: dict[str, tuple[str, ...]] = {}
    for one in known.measures.values():
        for name in {plain(name) for name in (one.id, one.name.en, one.name.zh)}:
            by_name[name] = (*by_name.get(name, ()), one.id)
    by_name |= {plain(word): ids for word, ids in synonyms().measures.items()}
    ids = by_name.get(plain(cell.text))
    if ids is None:
        sheet.wrong(cell, f"unknown measure {cell.text!r}{near(cell.text, by_name)}")
        return set()
    formulas = index({one.id: (one.id, one.name.en, one.name.zh) for one in known.definitions.values()})
    formulas |= index(synonyms().formulas)
    use = _one(given["formula"], formulas, "formula", sheet) if "formula" in given else "value"
    definition = known.definitions.get(use)
    if definition is None:
        return set()
    needed = [name for name, one in definition.inputs.items() if one.measure is None and one.of is None]
    if len(needed) != 1:
        what = f"the formula {use} has the inputs {', '.join(needed)}, and a row names one measure: write this paper as YAML"
        sheet.wrong(cell, what)
    readings = [{"use": use, "with": dict.fromkeys(needed, measure)} for measure in ids]
    sheet.put(("claims", place, "readings"), cell, readings)
    sheet.put(("claims", place, "machine_readable"), cell, "yes")
    measures = [known.measures[one] for one in ids]
    sheet.put(("claims", place, "provider"), cell, measures[0].series.split(".")[0])
    sheet.taken.append(
        f"{cell.address} {cell.text}: {use} of {', then '.join(f'{one.id} ({one.name.en})' for one in measures)}"
    )
    if definition.unit in ("same", "difference"):
        return {one.unit for one in measures} | ({"percentage points"} if definition.unit == "difference" else set())
    return {definition.unit}


def _unit(cell: Text, answers: set[str], place: int, sheet: Sheet, known: Known) -> None:
    """The unit and the power of ten that a word means: of several units the one in which the measures answer."""
    meanings = {plain(word): meant for word, meant in synonyms().units.items()}
    names = {plain(name): one.id for one in known.units.values() for name in (one.id, one.name.en, one.name.zh)}
    if plain(cell.text) not in meanings | names:
        sheet.wrong(cell, f"unknown unit {cell.text!r}{near(cell.text, meanings | names)}")
        return
    found = meanings.get(plain(cell.text)) or ((names[plain(cell.text)], 0),)
    unit, scale = next((meant for meant in found if meant[0] in answers), found[0])
    sheet.put(("claims", place, "unit"), cell, unit)
    sheet.put(("claims", place, "scale"), cell, scale)
    if unit != cell.text:
        power = f" times ten to the power of {scale}" if scale else ""
        sheet.taken.append(f"{cell.address} {cell.text}: {unit}{power}")


def _economy(text: str, cell: Text, sheet: Sheet, known: Known) -> str:
    words = index({code: (code, said.en, said.zh) for code, said in economies.names().items()})
    words |= index(synonyms().economies)
    words |= index({one.id: (one.id, one.name.en, one.name.zh) for one in known.groups.values()})
    return _one(cell._replace(text=text), words, "economy", sheet)


def _one(cell: Text, words: Mapping[str, str], what: str, sheet: Sheet) -> str:
    """What a word means; an unknown one is a mistake, and stands for itself."""
    meaning = words.get(plain(cell.text))
    if meaning is None:
        sheet.wrong(cell, f"unknown {what} {cell.text!r}{near(cell.text, words)}")
    return meaning or cell.text
