"""What a person needs to know to decide on a batch, which batch she means, and the decision itself; free of Prefect.

Belongs here: facts from the ledger and the staged files, in words. Does not belong here: layout (held_page, output), links
(links), and what a decision does to the warehouse (publish).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flows import pipeline
from flows.outcome import Note, Outcome
from flows.pipeline import Action
from flows.settings import Settings
from flows.worst import worst
from warehouse import clock, incidents, lineage, publish
from warehouse.errors import UnknownBatch, UsageError, WrongState
from warehouse.papers.changes import TOLD
from warehouse.schema import Decision, IncidentChange, Severity
from warehouse.store import Warehouse

Row = dict[str, Any]
_BY_A_PERSON = (Decision.RELEASED.value, Decision.DISCARDED.value, Decision.VOIDED.value)
_SHOWN_ONLY = Severity.INFO.value
_LOOKED_AT = 50  # newest batches among which one is named
_FOUND = 3  # different findings of one rule that are told
_GRAVEST_FIRST = [severity.value for severity in Severity]


def facts(settings: Settings, batch_id: str) -> Row:
    """All about one batch for the person who must decide on it.

    Keys: those of warehouse.lineage.batch, and asked (for what, as of when, by whom), serving (what readers see meanwhile),
    checks (rules that failed, the gravest first: severity, rule, parts, found, expected, why), worst (rows of flows.worst),
    verdicts (what a release changes in what is said of the papers, lines in en and zh). Raises UnknownBatch.
    """
    warehouse = pipeline.open_warehouse(settings, create=False)
    row = publish.read_batch(warehouse, batch_id)
    told = lineage.batch(warehouse, batch_id)
    failed = _gravest_first([check for check in told["failed"] if not check["accepted"]])
    return {
        **told,
        "decisions": [_trusted(decision) for decision in told["decisions"]],
        "asked": asked(row),
        "serving": serving(warehouse, row),
        "checks": _in_words(failed),
        "worst": worst(warehouse, row, [check for check in failed if check["severity"] != _SHOWN_ONLY]),
        "verdicts": row["header"].get(TOLD, {}),
    }


def asked(batch: Mapping[str, Any]) -> str:
    """In one sentence: for what a batch asked, as of when, under which circumstances, and when."""
    header = batch["header"]
    wanted = header.get("asked") or {}
    scope = wanted.get("scope") or {}
    told = [f"parts {', '.join(wanted['parts'])}"] if wanted.get("parts") else []
    if scope.get("start") or scope.get("end"):
        told.append(f"periods {scope.get('start') or 'from the first'} to {scope.get('end') or 'the newest'}")
    if wanted.get("versions"):
        told.append(f"archived vintages {', '.join(wanted['versions'])}")
    text = " and ".join(told) or "everything"
    text += f", as of {header['on']}" if header.get("on") else ""
    text += f", with the sandbox's fault {header['fault']}" if header.get("fault") else ""
    text += f" ({header['reason']})" if header.get("reason") else ""
    return f"{text}; asked at {_minute(batch['started_at'])}, {header.get('requests', 0)} requests, by {batch['actor']}"


def serving(warehouse: Warehouse, batch: Mapping[str, Any]) -> str:
    """In one sentence: what readers see of a batch's dataset, and whether the batch is in it."""
    made = lineage.serving(warehouse, batch["dataset"])
    if made is None:
        return "nothing: no data of this dataset can be seen"
    looked = f"; the last good look was at {_minute(made['last_refresh'])}" if made["last_refresh"] else ""
    told = f"edition {made['edition']} of {_minute(made['at'])}"
    if batch["decision"] in (None, Decision.QUARANTINED):
        return f"the last good data, {told}{looked}"
    if batch["decision"] in (Decision.DISCARDED, Decision.VOIDED):
        return f"{told}, without this batch{looked}"
    return f"{told}{', which this batch made' if batch['edition'] == made['edition'] else ''}{looked}"


def sentence(check: Mapping[str, Any]) -> str:
    """Where a rule failed, what it found and expected, and why it is there."""
    first, *more = check["parts"] or ["the whole dataset"]
    where = first + (f" and {len(more)} more parts" if more else "")
    return f"in {where}: {check['found']}; expected {check['expected']}. {check['why']}"


def find(warehouse: Warehouse, named: str, action: Action) -> str:
    """The batch that a person means: its id, or its dataset when exactly one batch of that waits for a decision.

    Raises UnknownBatch, which names the batches that could be meant.
    """
    waiting = [str(row["batch"]) for row in incidents.undecided(warehouse) if row["dataset"] == named]
    if action != "void" and len(waiting) == 1:
        return waiting[0]
    try:
        return str(publish.read_batch(warehouse, named)["batch_id"])
    except UnknownBatch:
        what = _not_one(warehouse, named, action, waiting)
        raise UnknownBatch(what, next_step=_candidates(warehouse, action, waiting, named)) from None


def decide(
    settings: Settings,
    named: str,
    action: Action,
    *,
    reason: str,
    by: str,
    run_id: str | None = None,
    note: Note = print,
) -> Outcome:
    """Carry out a person's decision on the batch she names (`find`).

    Raises UnknownBatch and WrongState, each with the batches that could be meant, and UsageError without reason or name.
    """
    warehouse = pipeline.open_warehouse(settings, create=False)
    batch = find(warehouse, named, action)
    try:
        return pipeline.decide(settings, batch, action, reason=reason, by=by, run_id=run_id, note=note)
    except WrongState as error:
        since = _last_word(warehouse, batch)
        raise WrongState(
            f"{error.what}: {since}" if since else error.what,
            dataset=error.dataset,
            next_step=_candidates(warehouse, action, (), publish.read_batch(warehouse, batch)["dataset"]),
        ) from error


def take_note(settings: Settings, incident: int, *, reason: str, by: str) -> IncidentChange:
    """Close an incident that a person may close with a word; raises as warehouse.incidents.acknowledge does."""
    warehouse = pipeline.open_warehouse(settings, create=False)
    closed = incidents.acknowledge(warehouse, incident, reason=reason, by=by)
    publish.flush(warehouse)
    return closed


def _not_one(warehouse: Warehouse, named: str, action: Action, waiting: Sequence[str]) -> str:
    """Why a name means no batch."""
    of_it = _batches(warehouse, named)
    if not of_it:
        return f"there is no batch '{named}'"
    if action == "void":
        return f"'{named}' is a dataset, and void wants the id of one of its batches"
    if waiting:
        return f"{len(waiting)} batches of '{named}' wait"
    decided = [row["batch"] for row in of_it if row["decision"] in _BY_A_PERSON][:1]
    last = "".join(f"; batch {batch} was {_last_word(warehouse, batch)}" for batch in decided)
    return f"nothing of '{named}' waits for a decision{last}"


def _batches(warehouse: Warehouse, dataset: str) -> list[Row]:
    """The newest batches of a dataset; none of what is no dataset."""
    try:
        return lineage.batches(warehouse, dataset, limit=_LOOKED_AT)
    except UsageError:
        return []


def _last_word(warehouse: Warehouse, batch: str) -> str:
    last = lineage.batch(warehouse, batch)["decisions"][-1:]
    return "".join(f"{one['decision']} {_minute(one['at'])} by {one['actor']}" for one in last)


def _candidates(warehouse: Warehouse, action: Action, some: Sequence[str], named: str) -> str:
    """The next step of a person who named the wrong batch; those to void are of the dataset that she named, if it is one."""
    if action == "void":
        of_it = _batches(warehouse, named)
        rows = [row["batch"] for row in of_it or lineage.batches(warehouse, limit=_LOOKED_AT) if row["can"] == "void"]
        of = f" of {named}" if of_it else ""
        return f"void one{of} that is published, by its id; the newest are: {', '.join(rows[:5]) or 'none'}"
    rows = list(some) or [row["batch"] for row in incidents.undecided(warehouse)]
    if not rows:
        return "nothing waits for a decision; `figurekeeper batches` lists every batch"
    return f"name one that waits for a decision, by its id: {', '.join(rows)}"


def _trusted(decision: Row) -> Row:
    """A decision, and how far its name can be trusted."""
    if decision["decision"] not in _BY_A_PERSON:
        return decision
    where = f"the form of flow run {decision['run_id']}" if decision["run_id"] else "a command line"
    return {**decision, "name": f"as typed into {where}; nobody checked who typed it"}


def _gravest_first(checks: Sequence[Row]) -> list[Row]:
    return sorted(checks, key=lambda check: _GRAVEST_FIRST.index(check["severity"]))


def _in_words(checks: Sequence[Row]) -> list[Row]:
    """One row a rule, however many parts failed it."""
    from expectations.suites import RULE

    failed: dict[str, list[Row]] = {}
    for check in checks:
        failed.setdefault(check["rule"], []).append(check)
    return [
        {
            "severity": rows[0]["severity"],
            "rule": rule,
            "parts": [row["part"] for row in rows if row["part"]],
            "found": "; ".join(list(dict.fromkeys(row["observed"] for row in rows))[:_FOUND]),
            "expected": rows[0]["expected"],
            "why": RULE[rule].why if rule in RULE else "",
        }
        for rule, rows in failed.items()
    ]


def _minute(instant: str) -> str:
    return f"{clock.from_text(instant):%Y-%m-%d %H:%M} UTC"
