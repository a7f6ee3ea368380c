"""A paper of one's own as a spreadsheet: one row a claim, read as the fields that a paper's YAML file would have.

Belongs here: cells, column heads in English or Chinese, and what the words in them mean (synonyms.yaml). Does not belong here:
what is wrong with a field once it is understood (model, catalogue), and templates to fill in (own_template).
"""

from __future__ import annotations

import csv
import difflib
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from warehouse.papers import economies
from warehouse.papers.model import Definition, Group, Measure, Unit
from warehouse.yaml_lines import Mistaken, Where, read

if TYPE_CHECKING:
    from openpyxl.cell import Cell, MergedCell

#: Endings of the files that are read here.
SUFFIXES = (".xlsx", ".csv")
#: A row with so many known heads is the row of heads.
_ENOUGH = 3
_RANGE = re.compile(r"(-?[\d.]+)\s*(?:~|–|—|…|至|to)\s*(-?[\d.]+)")
_YEARS = re.compile(r"(\d{4})\s*(?:~|-|–|—|至|to)\s*(\d{4})")
_PLAIN_FORMAT = re.compile(r"(?:#,##)?0(?:\.(0+))?(?:_ )?")


class Synonyms(BaseModel):
    """synonyms.yaml: for each meaning the words people use, and for measures and units the meanings of a word."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: dict[str, tuple[str, ...]]
    paper: dict[str, tuple[str, ...]]
    senses: dict[str, tuple[str, ...]]
    economies: dict[str, tuple[str, ...]]
    units: dict[str, tuple[tuple[str, int], ...]]
    measures: dict[str, tuple[str, ...]]
    formulas: dict[str, tuple[str, ...]]


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
    taken: list[str] = field(default_factory=list)
    mistakes: list[tuple[str, str]] = field(default_factory=list)

    def put(self, where: Where, address: str, value: Any) -> None:
        """Set a field, making the mappings on the way."""
        inner: Any = self.fields
        for step in where[:-1]:
            inner = inner[step] if isinstance(step, int) else inner.setdefault(step, {})
        inner[where[-1]] = value
        self.at[where] = address


class Text(NamedTuple):
    """A cell as people see it, and its address."""

    address: str
    text: str


@cache
def synonyms() -> Synonyms:
    """The words of synonyms.yaml."""
    return read(Path(__file__).with_name("synonyms.yaml").read_bytes(), Synonyms)


def fields(path: Path, known: Known) -> Sheet:
    """The fields of a paper kept in an XLSX (its first sheet) or CSV file: what the paper is above, one row a claim below.

    Raises Mistaken with every cell that cannot be understood, "C7: what".
    """
    rows = _xlsx(path) if path.suffix.lower() == ".xlsx" else _csv(path)
    sheet = Sheet({"id": path.stem, "claims": []}, {(): "A1"})
    heads, below = _heads(rows, sheet)
    _about(rows[: len(rows) - len(below) - 1], sheet)
    if not re.fullmatch("[a-z0-9]+", str(sheet.fields["id"])):
        what = f"{sheet.fields['id']!r} is no id of a paper: name the file with small letters and digits, such as mine.xlsx"
        sheet.mistakes.append((sheet.at.get(("id",), "A1"), what))
    for row in below:
        if any(cell.text for cell in row):
            _claim({name: row[place] for place, name in heads.items() if place < len(row)}, sheet, known)
    if sheet.mistakes:
        raise Mistaken(f"{address}: {what}" for address, what in sheet.mistakes)
    return sheet


def _heads(rows: Sequence[Sequence[Text]], sheet: Sheet) -> tuple[dict[int, str], Sequence[Sequence[Text]]]:
    """Which column holds what, and the rows below the heads."""
    words = _index(synonyms().columns)
    for number, row in enumerate(rows):
        named = {place: words[plain(cell.text)] for place, cell in enumerate(row) if plain(cell.text) in words}
        if len(named) < _ENOUGH:
            continue
        for place, cell in enumerate(row):
            if cell.text and place not in named:
                sheet.mistakes.append((cell.address, f"unknown column {cell.text!r}{_near(cell.text, words)}"))
        for name in {name for name in named.values() if list(named.values()).count(name) > 1}:
            sheet.mistakes.append((row[0].address, f"two columns say {name!r}"))
        missing = [
            f"{name} ({synonyms().columns[name][-1]})"
            for name in ("says", "period", "unit")
            if name not in named.values()
        ]
        if missing:
            sheet.mistakes.append((row[0].address, f"there is no column for {', '.join(missing)}"))
        return named, rows[number + 1 :]
    heads = "编号 句子 经济体 年份 数值 单位 指标, or: id says economies year value unit measure"
    raise Mistaken([f"A1: no row of column heads such as {heads}"])


def _about(rows: Iterable[Sequence[Text]], sheet: Sheet) -> None:
    """The rows above the heads: a label and its value."""
    words = _index(synonyms().paper)
    for row in rows:
        label, *rest = [cell for cell in row if cell.text] or [Text("", "")]
        name = words.get(plain(label.text.rstrip(":：")))
        if not label.text:
            continue
        if name is None:
            sheet.mistakes.append((label.address, f"unknown label {label.text!r}{_near(label.text, words)}"))
        elif not rest:
            sheet.mistakes.append((label.address, f"{label.text}: the value is missing in the cell beside it"))
        elif name in ("earliest", "latest", "evidence"):
            sheet.put(("cutoff", name), rest[0].address, rest[0].text)
        elif name == "authors":
            sheet.put((name,), rest[0].address, [text for cell in rest for text in _split(cell.text)])
        elif name == "public":
            sheet.put((name,), rest[0].address, {"是": "yes", "否": "no"}.get(rest[0].text, rest[0].text))
        else:
            sheet.put((name,), rest[0].address, rest[0].text)
    if "cutoff" in sheet.fields:
        sheet.fields["cutoff"].setdefault("evidence", {"en": "as the author states", "zh": "据作者说明"})


def _claim(cells: Mapping[str, Text], sheet: Sheet, known: Known) -> None:
    """One row as a statement."""
    place = len(sheet.fields["claims"])
    sheet.fields["claims"].append({"kind": "level", "sense": "equals"})
    given = {name: cell for name, cell in cells.items() if cell.text}
    sheet.at["claims", place] = next(iter(given.values())).address

    def put(name: str, cell: Text, value: Any) -> None:
        sheet.put(("claims", place, name), cell.address, value)

    number = given.get("id", Text(sheet.at["claims", place], f"c{place + 1:03}"))
    paper = str(sheet.fields["id"])
    put("id", number, number.text if number.text.startswith(f"{paper}-") else f"{paper}-{number.text.lower()}")
    for name in ("says", "note"):
        if name in given:
            put(name, given[name], given[name].text)
    if "period" in given:
        put("period", given["period"], _YEARS.sub(r"\1:\2", given["period"].text))
    if "source" in given:
        put("source", given["source"], given["source"].text)
        put("source_basis", given["source"], "named")
    for name in ("entities", "partners"):
        if name in given:
            put(name, given[name], [_economy(text, given[name], sheet, known) for text in _split(given[name].text)])
    if "sense" in given:
        put("sense", given["sense"], _one(given["sense"], _index(synonyms().senses), "wording", sheet))
    if "printed" in given:
        _printed(given["printed"], place, sheet)
    answers = _readings(given, place, sheet, known)
    if "unit" in given:
        _unit(given["unit"], answers, place, sheet, known)


def _printed(cell: Text, place: int, sheet: Sheet) -> None:
    """The number as printed; two with a dash or 至 between them are a range."""
    text = unicodedata.normalize("NFKC", cell.text).replace(",", "").strip()
    both = _RANGE.fullmatch(text)
    sheet.put(("claims", place, "printed"), cell.address, list(both.groups()) if both else text)
    if both:
        sheet.put(("claims", place, "sense"), cell.address, "between")


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
        sheet.mistakes.append((cell.address, f"unknown measure {cell.text!r}{_near(cell.text, by_name)}"))
        return set()
    formulas = _index({one.id: (one.id, one.name.en, one.name.zh) for one in known.definitions.values()})
    formulas |= _index(synonyms().formulas)
    use = _one(given["formula"], formulas, "formula", sheet) if "formula" in given else "value"
    definition = known.definitions.get(use)
    if definition is None:
        return set()
    needed = [name for name, one in definition.inputs.items() if one.measure is None and one.of is None]
    if len(needed) != 1:
        what = f"the formula {use} has the inputs {', '.join(needed)}, and a row names one measure: write this paper as YAML"
        sheet.mistakes.append((cell.address, what))
    readings = [{"use": use, "with": dict.fromkeys(needed, measure)} for measure in ids]
    sheet.put(("claims", place, "readings"), cell.address, readings)
    sheet.put(("claims", place, "machine_readable"), cell.address, "yes")
    measures = [known.measures[one] for one in ids]
    sheet.put(("claims", place, "provider"), cell.address, measures[0].series.split(".")[0])
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
    found = meanings.get(plain(cell.text), ((names.get(plain(cell.text), cell.text), 0),))
    unit, scale = next((meant for meant in found if meant[0] in answers), found[0])
    sheet.put(("claims", place, "unit"), cell.address, unit)
    sheet.put(("claims", place, "scale"), cell.address, scale)
    if unit != cell.text:
        power = f" times ten to the power of {scale}" if scale else ""
        sheet.taken.append(f"{cell.address} {cell.text}: {unit}{power}")


def _economy(text: str, cell: Text, sheet: Sheet, known: Known) -> str:
    words = _index({code: (code, said.en, said.zh) for code, said in economies.names().items()})
    words |= _index(synonyms().economies)
    words |= _index({one.id: (one.id, one.name.en, one.name.zh) for one in known.groups.values()})
    return _one(Text(cell.address, text), words, "economy", sheet)


def _one(cell: Text, words: Mapping[str, str], what: str, sheet: Sheet) -> str:
    """What a word means; an unknown one is a mistake, and stands for itself."""
    meaning = words.get(plain(cell.text))
    if meaning is None:
        sheet.mistakes.append((cell.address, f"unknown {what} {cell.text!r}{_near(cell.text, words)}"))
    return meaning or cell.text


def _index(words: Mapping[str, Iterable[str]]) -> dict[str, str]:
    return {plain(word): meaning for meaning, said in words.items() for word in said}


def plain(text: str) -> str:
    """Without case, spaces, and width of letters."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _near(text: str, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(plain(text), list(words), n=3, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else ""


def _split(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[,;，；、/]", text) if part.strip()]


def _csv(path: Path) -> list[list[Text]]:
    """The cells of a CSV file, in UTF-8 or, as a Chinese Excel writes it, GB 18030."""
    from openpyxl.utils import get_column_letter

    content = _bytes(path)
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            lines = csv.reader(io.StringIO(content.decode(encoding), newline=""), strict=True)
            return [
                [Text(f"{get_column_letter(place)}{number}", text.strip()) for place, text in enumerate(row, 1)]
                for number, row in enumerate(lines, 1)
            ]
        except UnicodeDecodeError:
            continue
        except csv.Error as error:
            raise Mistaken([f"A1: not a CSV file that can be read ({error})"]) from error
    raise Mistaken(["A1: neither UTF-8 nor GB 18030; save it as CSV UTF-8"])


def _xlsx(path: Path) -> list[list[Text]]:
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(io.BytesIO(_bytes(path)), data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise Mistaken([f"A1: not an XLSX file that can be read ({error})"]) from error
    found, mistakes = [], []
    for row in book.worksheets[0].iter_rows():
        cells = []
        for cell in row:
            try:
                cells.append(Text(cell.coordinate, _seen(cell)))
            except ValueError as error:
                mistakes.append(f"{cell.coordinate}: {error}")
        found.append(cells)
    if mistakes:
        raise Mistaken(mistakes)
    return found


def _seen(cell: Cell | MergedCell) -> str:
    """What Excel shows of a cell: a number's digits are the rounding, and its format decides how many there are."""
    value = cell.value
    if value is None or isinstance(value, str):
        return (value or "").strip()
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).removesuffix("T00:00:00")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    exact, shown = Decimal(repr(value)), _PLAIN_FORMAT.fullmatch(str(cell.number_format))
    if shown:
        return f"{exact:.{len(shown[1] or '')}f}"
    if cell.number_format not in ("General", "@"):
        raise ValueError(
            f"a number in the format {cell.number_format!r}; format the cell as text and write it as printed"
        )
    return f"{exact.quantize(Decimal(1)) if exact == exact.to_integral() else exact:f}"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Mistaken([f"A1: cannot be read ({error.strerror})"]) from error
