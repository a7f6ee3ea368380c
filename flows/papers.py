"""`figurekeeper papers`: verdicts on papers, and papers of one's own; part of the command line (cli).

Belongs here: arguments. The questions are in warehouse/papers/asking.py, how answers are printed is in verdict_tables.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from flows import targets, verdict_tables
from flows.output import Format
from flows.verdict_tables import Language
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from flows.settings import Settings
    from warehouse.papers.asking import When
    from warehouse.papers.catalogue import Catalogue
    from warehouse.store import Warehouse


def papers(
    paper: Annotated[str | None, typer.Argument(metavar="[PAPER]", help="such as paper001; all when left out")] = None,
    claim: Annotated[
        str | None, typer.Option("--claim", metavar="ID", help="everything behind one verdict (its row in CSV)")
    ] = None,
    exhibit: Annotated[str | None, typer.Option("--exhibit", metavar="ID", help="a figure or table as rows")] = None,
    exhibits: Annotated[
        bool, typer.Option("--exhibits", help="the verdict on each figure and table as a whole")
    ] = False,
    verdict: Annotated[str | None, typer.Option("--verdict", help="only these, in English or Chinese words")] = None,
    changed: Annotated[bool, typer.Option("--changed", help="only what changed since the paper's days")] = False,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="as known on 2021, 2021-12 or 2021-12-31")
    ] = None,
    edition: Annotated[
        str | None, typer.Option("--edition", help="number or id, for an answer that never changes")
    ] = None,
    lang: Annotated[Language, typer.Option("--lang", help="language of statements and verdicts")] = Language.EN,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="a paper of your own: mistakes, or verdicts; nothing is kept"),
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option(
            "--template", metavar="FILE", callback=targets.file, help="write a .yaml, .xlsx or .csv to fill in"
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="how to print")] = Format.TABLE,
) -> None:
    """Verdicts on the figures, tables and claims of papers: as printed, as known in their days, and now."""
    from flows import settings
    from warehouse.papers.asking import When

    _one_question(exhibits=exhibits or None, verdict=verdict, changed=changed or None)
    alone = {"claim": claim, "exhibit": exhibit, "check": check, "template": template}
    for among in ({"PAPER": paper}, {"verdict": verdict}, {"changed": changed or None}, {"exhibits": exhibits or None}):
        _one_question(**among, **alone)
    current, when = settings.load(), When(as_of, edition)
    if check is not None:
        return _check(current, check, when, lang, form)
    catalogue = _catalogue(current, paper)
    if template is not None:
        return _template(template, catalogue, lang)
    question = _Question(_warehouse(current), catalogue, when, lang, form)
    if claim is not None:
        question.of_claim(claim)
    elif exhibit is not None:
        question.of_exhibit(exhibit)
    elif exhibits:
        question.of_exhibits(paper)
    elif paper is None and verdict is None and not changed:
        question.of_all()
    else:
        question.of_paper(paper, verdict, changed=changed)


COMMANDS: tuple[Callable[..., None], ...] = (papers,)


class _Question(NamedTuple):
    """What is asked, as known when, and how it is answered; each method prints one kind of answer."""

    warehouse: Warehouse
    catalogue: Catalogue
    when: When
    lang: Language
    form: Format

    def of_claim(self, name: str) -> None:
        """Everything behind a verdict; in CSV its row, as that of its paper: what lies behind it is no table."""
        from warehouse.papers import asking

        told = self.form, self.lang, self.warehouse.profile
        if self.form is Format.CSV:
            self.catalogue.statement(name)
            found = asking.judged(self.warehouse, self.catalogue, [name], self.when)
            verdict_tables.statements([found[name]], *told)
        else:
            verdict_tables.claim(asking.claim(self.warehouse, self.catalogue, name, self.when), *told)

    def of_exhibit(self, name: str) -> None:
        """A figure or table as rows."""
        from warehouse.papers import asking

        found = asking.exhibit(self.warehouse, self.catalogue, name, self.when)
        verdict_tables.exhibit(found.rows, self.form, self.lang, self.warehouse.profile)

    def of_exhibits(self, name: str | None) -> None:
        """The figures and tables of a paper, or of all."""
        from warehouse.papers import asking

        found = asking.exhibits(self.warehouse, self.catalogue, name, self.when)
        verdict_tables.exhibits(found, self.form, self.lang, self.warehouse.profile)

    def of_all(self) -> None:
        """The state of every paper."""
        from warehouse.papers import asking

        found = asking.judged(self.warehouse, self.catalogue, when=self.when)
        verdict_tables.states(found.values(), self.form, self.lang, self.warehouse.profile)

    def of_paper(self, name: str | None, verdict: str | None, *, changed: bool) -> None:
        """The statements of a paper, or of all."""
        from warehouse.papers import asking

        found = asking.of_paper(self.warehouse, self.catalogue, name, self.when, verdict=verdict, changed=changed)
        verdict_tables.statements(found, self.form, self.lang, self.warehouse.profile, changed=changed)


def _one_question(**given: Any) -> None:
    """Raise UsageError when a command asks two things at once."""
    named = [name if name.isupper() else f"--{name}" for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} exclude each other", next_step="ask for one of them")


def _warehouse(settings: Settings) -> Warehouse:
    from warehouse.store import Warehouse

    return Warehouse(**settings.place, create=False)


def _catalogue(settings: Settings, asked: str | None) -> Catalogue:
    """The papers, ours and the user's own; a file of theirs that is wrong, or is none, is told and hides no other.

    What is wrong with the one that is asked for is told when it is looked up.
    """
    from warehouse.papers import catalogue

    found = catalogue.load(settings.papers)
    for error in found.wrong.values():
        if error.path.stem != asked:
            print(f"figurekeeper: {error}", file=sys.stderr)
    if strange := catalogue.ignored(settings.papers):
        names, endings = ", ".join(path.name for path in strange), ", ".join(catalogue.SUFFIXES)
        print(f"figurekeeper: left out of {settings.papers}: {names} (papers end in {endings})", file=sys.stderr)
    return found


def _check(settings: Settings, path: Path, asked: When, lang: Language, form: Format) -> None:
    """Say every mistake of a paper's file, or what each of its claims comes out as."""
    from warehouse.papers import asking, catalogue

    paper, taken = catalogue.load_own(path, settings.papers)
    for line in taken:
        print(f"taken: {line}", file=sys.stderr)
    whole = catalogue.load(None).with_paper(paper)
    warehouse = _warehouse(settings)
    found = asking.of_paper(warehouse, whole, paper.id, asked)
    verdict_tables.statements(found, form, lang, warehouse.profile)
    kept = f"put it into {settings.papers}" if settings.papers else "set FIGUREKEEPER_PAPERS to the folder it lies in"
    print(f"{path.name} has no mistakes; nothing was kept. To keep it: {kept}.", file=sys.stderr)


def _template(path: Path, catalogue: Catalogue, lang: Language) -> None:
    from warehouse.papers import own_template

    own_template.write(path, catalogue, lang.value)
    print(f"{path}: fill it in, then figurekeeper papers --check {path}")
