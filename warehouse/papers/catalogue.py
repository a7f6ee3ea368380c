"""The papers, and what they are written in, as one catalogue: read once, checked, and looked up by id.

Belongs here: which files there are, reading them, and finding a statement or exhibit. Does not belong here: what is wrong with an
entry (model by itself, entries against others), what an entry is written in (vocabulary), verdicts.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from warehouse.errors import UsageError
from warehouse.papers import entries, own, own_cells
from warehouse.papers.entries import Found
from warehouse.papers.model import Check, Exhibit, Paper, Statement
from warehouse.papers.vocabulary import FOLDER, CatalogueError, Vocabulary, vocabulary
from warehouse.yaml_lines import Mistaken, Where, line_at, lines_of, read

__all__ = ["Catalogue", "CatalogueError", "load", "load_own", "load_paper"]

T = TypeVar("T")
_YAML = (".yaml", ".yml")
#: Endings of the files of papers.
SUFFIXES = (*_YAML, *own_cells.SUFFIXES)


@dataclass(frozen=True, eq=False)
class Catalogue(Vocabulary):
    """All papers by id, checks across papers, the file of each paper, and those that could not be read (`wrong`, by name)."""

    papers: Mapping[str, Paper] = field(default_factory=dict)
    cross: tuple[Check, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    wrong: Mapping[str, CatalogueError] = field(default_factory=dict)

    @cached_property
    def _statements(self) -> dict[str, tuple[Paper, Statement]]:
        return {one.id: (paper, one) for paper in self.papers.values() for one in paper.statements}

    @cached_property
    def _exhibits(self) -> dict[str, tuple[Paper, Exhibit]]:
        return {one.id: (paper, one) for paper in self.papers.values() for one in paper.exhibits}

    @property
    def statements(self) -> Mapping[str, tuple[Paper, Statement]]:
        """All claims and cells of all papers by id, each with its paper, in the order of the files."""
        return self._statements

    @property
    def exhibits(self) -> Mapping[str, tuple[Paper, Exhibit]]:
        """All exhibits of all papers by id, each with its paper."""
        return self._exhibits

    def paper(self, name: str) -> Paper:
        """A paper by its id. Raises UsageError for an unknown one, CatalogueError for one whose file is wrong."""
        for error in self.wrong.values():
            if name not in self.papers and error.path.stem == name:
                raise error
        return _known(name, self.papers, "paper")

    def statement(self, name: str) -> tuple[Paper, Statement]:
        """A claim or cell and its paper. Raises UsageError, with the nearest ids, for an unknown one."""
        return _known(name, self._statements, "claim")

    def exhibit(self, name: str) -> tuple[Paper, Exhibit]:
        """An exhibit and its paper. Raises UsageError, with the nearest ids, for an unknown one."""
        return _known(name, self._exhibits, "exhibit")

    def with_paper(self, paper: Paper) -> Catalogue:
        """The same with one more paper, or with another in place of that of its id."""
        return replace(self, papers={**self.papers, paper.id: paper})


def _known(name: str, entries_by_id: Mapping[str, T], kind: str) -> T:
    if name in entries_by_id:
        return entries_by_id[name]
    near = difflib.get_close_matches(name, entries_by_id, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "`figurekeeper papers` lists what there is"
    raise UsageError(f"no {kind} '{name}'", next_step=hint)


class _Cross(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    checks: tuple[Check, ...]


def load(own_folder: Path | None = None) -> Catalogue:
    """The shipped papers, and those of one's own folder (YAML files and spreadsheets). One wrong file hinders no other.

    Read again only when a file changed. Raises CatalogueError where definitions, measures, groups or units are wrong.
    """
    shipped = _load(_stamped(sorted(FOLDER.glob("paper*.yaml"))), None)
    added = _stamped(path for path in _own_files(own_folder) if path.suffix.lower() in SUFFIXES)
    return _load(added, shipped) if added else shipped


def ignored(own_folder: Path | None) -> list[Path]:
    """Files in one's own folder that are no papers by their ending."""
    return [path for path in _own_files(own_folder) if path.suffix.lower() not in SUFFIXES]


def _own_files(folder: Path | None) -> list[Path]:
    """The files of a folder; not what an open spreadsheet leaves beside them."""
    if folder is None or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith((".", "~")))


def _stamped(files: Iterable[Path]) -> tuple[tuple[Path, int], ...]:
    return tuple((path, path.stat().st_mtime_ns) for path in files)


@lru_cache(maxsize=4)
def _load(files: tuple[tuple[Path, int], ...], before: Catalogue | None) -> Catalogue:
    """A catalogue with the papers of some files more."""
    words = vocabulary()
    papers = dict(before.papers) if before is not None else {}
    read_from = dict(before.files) if before is not None else {}
    wrong = dict(before.wrong) if before is not None else {}
    for path, _ in files:
        try:
            paper, _ = _read(path, words, read_from)
        except CatalogueError as error:
            wrong[path.name] = error
        except Exception as error:  # whatever one file does, the others are read
            wrong[path.name] = CatalogueError(path, [f"1: cannot be understood ({type(error).__name__}: {error})"])
        else:
            papers[paper.id], read_from[paper.id] = paper, path
    catalogue = Catalogue(**vars(words), papers=papers, files=read_from, wrong=wrong)
    return replace(catalogue, cross=_cross(catalogue))


def load_paper(path: Path) -> Paper:
    """One paper of a file, with all checks. Raises CatalogueError with every mistake, each with its line or cell."""
    return load_own(path)[0]


def load_own(path: Path, own_folder: Path | None = None) -> tuple[Paper, list[str]]:
    """As load_paper, and what was taken for words that a spreadsheet left open ("研发强度: oecd-gerd-gdp").

    With the folder that it is to lie in, its id must be none of another file there. Raises UsageError for what is no file, or
    none that could hold a paper.
    """
    name = f"name a file that ends in {', '.join(SUFFIXES)}; `figurekeeper papers --template mine.xlsx` writes one"
    if not path.is_file():
        raise UsageError(f"{path} is a folder" if path.is_dir() else f"there is no file {path}", next_step=name)
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path.name} is no paper by its ending", next_step=name)
    others = {} if _is_ours(path) else load(own_folder).files
    taken = {name: file for name, file in others.items() if _is_ours(file) or file.name != path.name}
    return _read(path, vocabulary(), taken)


def _is_ours(path: Path) -> bool:
    return path.resolve().parent == FOLDER.resolve()


def _read(path: Path, words: Vocabulary, others: Mapping[str, Path]) -> tuple[Paper, list[str]]:
    """A paper of a file, and what was taken for its words; `others` are the files of those whose ids are taken."""
    try:
        if path.suffix.lower() in own_cells.SUFFIXES:
            sheet = own.fields(path, own.Known(words.measures, words.definitions, words.units, words.groups))
            paper, places, taken = _of_fields(sheet.fields, sheet.at), sheet.at, list(sheet.taken)
            found = sheet.in_cells(entries.mistakes(paper, words, ours=False))
        else:
            content = path.read_bytes()
            paper, taken = read(content, Paper, entries.left_open), []
            places = {where: str(line) for where, line in lines_of(content).items()}
            found = list(entries.mistakes(paper, words, ours=_is_ours(path)))
        if paper.id in others:
            found.append((("id",), f"{paper.id} is the id of another paper: {_of(others[paper.id])}"))
        if found:
            raise Mistaken(_told(found, places))
    except Mistaken as error:
        raise CatalogueError(path, error.mistakes) from error
    except OSError as error:
        raise CatalogueError(path, [f"1: cannot be read ({error.strerror})"]) from error
    return paper, taken


def _of(path: Path) -> str:
    return "one that comes with Figurekeeper" if _is_ours(path) else path.name


def _of_fields(fields: Mapping[str, object], places: Mapping[Where, str]) -> Paper:
    """A spreadsheet's paper; what is wrong is told without the names of fields, which its author never sees."""
    try:
        return Paper.model_validate(fields)
    except ValidationError as error:
        told = [(item["loc"], item["msg"].removeprefix("Value error, ")) for item in error.errors()]
        raise Mistaken(_told(told, places)) from error


def _told(found: Iterable[Found], places: Mapping[Where, str]) -> list[str]:
    """Mistakes with the line or cell of the field, or of what it would stand in; the first one first, and each once."""
    numbered = {where: number for number, where in enumerate(places)}
    names = list(places.values())
    placed = sorted((line_at(numbered | {(): 0}, where), what) for where, what in found)
    return list(dict.fromkeys(f"{names[place]}: {what}" for place, what in placed))


def _cross(catalogue: Catalogue) -> tuple[Check, ...]:
    """The checks across papers; those that speak of a paper that could not be read are left out."""
    path = FOLDER / "cross.yaml"
    if not path.exists():
        return ()
    content = path.read_bytes()
    try:
        checks = read(content, _Cross).checks
    except Mistaken as error:
        raise CatalogueError(path, error.mistakes) from error
    found = [] if catalogue.wrong else list(entries.wrong_checks(checks, catalogue.statements))
    if found:
        raise CatalogueError(path, _told(found, {where: str(line) for where, line in lines_of(content).items()}))
    return tuple(check for check in checks if entries.named_in(check) <= set(catalogue.statements))
