"""The step of a batch that looks at the papers: which verdicts its vintages change, and the editor's incident over them.

Belongs here: when it is looked, what is said of it, and when such an incident opens and closes. Does not belong here: what
changes (warehouse/papers/changes.py), the rule over it (expectations/golden_rules.py), and a person's word (flows/editors.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, or_, select

from flows.outcome import Note
from flows.settings import Settings
from warehouse import incidents, ledger, publish
from warehouse.errors import FigurekeeperError
from warehouse.locks import Busy
from warehouse.papers import asking, changes
from warehouse.papers.asking import When
from warehouse.papers.changes import Change, Foreseen
from warehouse.schema import IncidentChange, Severity
from warehouse.staging import Staged
from warehouse.store import Warehouse

if TYPE_CHECKING:
    from warehouse.papers.catalogue import Catalogue

_NAMED = 8  # ids that a title names
LANGUAGES: tuple[changes.Language, ...] = ("en", "zh")
#: What a batch records, before it is published, of the statements whose verdicts that will change: it owes editors a word.
HEADER = "verdicts"


def foresee(settings: Settings, warehouse: Warehouse, staged: Sequence[Staged]) -> Foreseen | None:
    """What publishing these vintages will change; None when there is nothing to look at.

    Whatever goes wrong with the papers is a finding of the gate and stops no refresh.
    """
    if not staged:
        return None
    try:
        catalogue = _catalogue(settings)
        foreseen = changes.forecast(warehouse, catalogue, staged)
        return replace(foreseen, error=_unread(catalogue))
    except Exception as error:
        return Foreseen(error=_told(error), failed=True)


def recorded(foreseen: Foreseen | None) -> dict[str, Any]:
    """What a batch writes into its header of what is foreseen, so that the incident is opened even if its process ends first,
    or cannot judge, and in words for the person who must decide on the batch."""
    if foreseen is None:
        return {}
    told = {language: [change.told(language) for change in foreseen.changes] for language in LANGUAGES}
    owed = {HEADER: [change.id for change in foreseen.changes]} if _looks(foreseen) else {}
    return owed | ({} if foreseen.failed else {changes.TOLD: told})


def in_words(foreseen: Foreseen | None, *, held_back: bool) -> str:
    """The end of a batch's message: how many verdicts change, or would; "" for none."""
    if foreseen is None or not foreseen.changes:
        return ""
    return f"; {'a release would change' if held_back else 'this changes'} {_counted(foreseen.changes)}"


def after(
    settings: Settings, warehouse: Warehouse, batch: str, edition: int, *, note: Note, foreseen: Foreseen | None = None
) -> tuple[IncidentChange, ...]:
    """What the edition that a batch has just made means to editors: incidents whose verdicts are back are closed, and one is
    opened over the other changes.

    `foreseen` says which statements to look at; without it, all that the edition may have changed. The data are published: what
    goes wrong here is said, and tried again by the next refresh (`owed`). The caller holds the dataset's lease.
    """
    if foreseen is not None and not _looks(foreseen):
        return ()
    dataset = batch.rsplit("@", 1)[0]
    try:
        catalogue = _catalogue(settings)
        wanted = [change.id for change in foreseen.changes] if foreseen and not foreseen.failed else None
        changed = changes.of_edition(warehouse, catalogue, edition, wanted)
        closed, back = _close_those_back(warehouse, catalogue, dataset, batch, edition)
        left = [change for change in changed if change.id not in back]
        opened = [incidents.open_new(warehouse, dataset, *_incident(dataset, left), batch)] if left else []
        return (*closed, *opened)
    except Exception as error:
        note(f"{dataset}: published, but the papers could not be judged: {_told(error)}")
        return ()


def decided(
    settings: Settings, warehouse: Warehouse, batch: str, edition: int, *, note: Note
) -> tuple[IncidentChange, ...]:
    """As `after`, of the edition that a person's decision has made; nothing when a refresh was quicker."""
    dataset = batch.rsplit("@", 1)[0]
    try:
        with warehouse.lease(dataset, note=note):
            told = _last_publish(warehouse, dataset) != (batch, edition) or _is_told(warehouse, batch, edition)
            return () if told else after(settings, warehouse, batch, edition, note=note)
    except Busy as error:
        note(f"{dataset}: the next refresh looks at the papers: {_told(error)}")
        return ()


def owed(settings: Settings, warehouse: Warehouse, dataset: str, *, note: Note) -> tuple[IncidentChange, ...]:
    """What the last publish of a dataset should have told editors, where its process ended before it did.

    The caller holds the dataset's lease, and has completed what was cut off in mid-publish.
    """
    last = _last_publish(warehouse, dataset)
    if last is None or HEADER not in publish.read_batch(warehouse, last[0])["header"] or _is_told(warehouse, *last):
        return ()
    return after(settings, warehouse, *last, note=note)


def _last_publish(warehouse: Warehouse, dataset: str) -> tuple[str, int] | None:
    """Batch and edition of a dataset's last publish, release or void."""
    columns = ledger.editions.c
    query = select(columns.batch_id, columns.edition).where(columns.batch_id.startswith(f"{dataset}@", autoescape=True))
    with warehouse.engine.connect() as connection:
        row = connection.execute(query.order_by(columns.edition.desc()).limit(1)).tuples().first()
    return (row[0], row[1]) if row else None


def _is_told(warehouse: Warehouse, batch: str, edition: int) -> bool:
    """Whether an editor's incident was opened or closed by a batch since it made an edition."""
    at = select(ledger.editions.c.at).where(ledger.editions.c.edition == edition).scalar_subquery()
    columns = ledger.incidents.c
    opened = and_(columns.opened_by == batch, columns.opened_at >= at)
    closed = and_(columns.closed_by == batch, columns.closed_at >= at)
    query = select(columns.incident).where(columns.kind == incidents.VERDICT, or_(opened, closed))
    with warehouse.engine.connect() as connection:
        return connection.execute(query).first() is not None


def _close_those_back(
    warehouse: Warehouse, catalogue: Catalogue, dataset: str, batch: str, edition: int
) -> tuple[list[IncidentChange], set[str]]:
    """The incidents that end because all their verdicts are what they were, and the statements of these."""
    closed: list[IncidentChange] = []
    back: set[str] = set()
    for incident in incidents.open_now(warehouse, dataset, incidents.VERDICT):
        before = {
            change.id: change.before
            for change in changes.of_edition(warehouse, catalogue, _made_by(warehouse, incident))
        }
        if not before:
            continue
        now = asking.judged(warehouse, catalogue, before, When(edition=edition))
        if all(now[name].verdict is judged.verdict for name, judged in before.items()):
            text = f"the verdicts are what they were, by batch {batch}"
            change = incidents.close_one(warehouse, incident["incident"], batch, text)
            closed += [change] if change is not None else []
            back |= set(before)
    return closed, back


def _made_by(warehouse: Warehouse, incident: dict[str, str]) -> int:
    """The edition that an incident is about: the last that its batch had made when it was opened."""
    columns = ledger.decisions.c
    query = select(columns.edition).where(
        columns.batch_id == incident["opened_by"], columns.at <= incident["opened_at"], columns.edition.is_not(None)
    )
    with warehouse.engine.connect() as connection:
        return int(connection.execute(query.order_by(columns.number.desc()).limit(1)).scalar_one())


def _incident(dataset: str, changed: Sequence[Change]) -> tuple[str, Severity, str, str]:
    """Kind, severity, title and text."""
    title = f"{dataset}: new data change {_counted(changed)}"
    told = changes.told(changed)
    text = (
        f"{told}\nNext: look at each statement (`figurekeeper papers --claim ID`), decide whether the paper needs a correction "
        "or a note, and say so with `figurekeeper acknowledge INCIDENT --by … --reason …`."
    )
    return incidents.VERDICT, Severity.WARNING, title, text


def _counted(changed: Iterable[Change]) -> str:
    names = [change.id for change in changed]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} verdict{'s' if len(names) > 1 else ''} on papers ({', '.join(names[:_NAMED])}{more})"


def _catalogue(settings: Settings) -> Catalogue:
    """The papers of which others may hear."""
    from warehouse.papers import catalogue

    return asking.shared(catalogue.load(settings.papers))


def _looks(foreseen: Foreseen | None) -> bool:
    """Whether an edition has to be looked at once it is made."""
    return foreseen is not None and (foreseen.failed or bool(foreseen.changes))


def _unread(catalogue: Catalogue) -> str | None:
    """How many files of papers are wrong; None where all could be read. What they say may be private, even their names."""
    wrong = len(catalogue.wrong)
    return f"{wrong} of the papers' files cannot be read: `figurekeeper papers` tells the mistakes" if wrong else None


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, FigurekeeperError) else f"{type(error).__name__}: {error}"
